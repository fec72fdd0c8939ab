"""BentoML's only door: the application of `serving.app` as a BentoML service, and how to run it."""

from serving.settings import Settings


def serve(settings: Settings, port: int | None = None) -> None:
    """Serve the HTTP interface and the page until interrupted.

    Parameters
    ----------
    settings:
        Where to listen and where the store and the bundles lie.
    port:
        Overrides the settings' port.

    Raises
    ------
    StoreError
        If the store cannot be opened or the port is taken.
    """
    raise NotImplementedError
