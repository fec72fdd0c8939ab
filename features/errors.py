"""The exception tree: what went wrong because of the data or the world, in one sentence."""


class TenureError(Exception):
    """Expected such, got such, there; a second sentence says what to do."""


class SourceError(TenureError):
    """A source cannot be read, or breaks the contract beyond its limit."""


class FeatureError(TenureError):
    """A feature is unknown, or the file that declares it is missing, broken or refused."""


class TooLittleDataError(TenureError):
    """There are too few accounts or events for an honest model."""


class ModelError(TenureError):
    """A model is missing, damaged or does not fit the features it was given."""


class SnapshotError(TenureError):
    """A snapshot of published scores is missing, damaged or cannot be written."""


class GateError(TenureError):
    """A challenger did not pass a gate, or the gate could not be computed."""


class SettingsError(TenureError):
    """A setting is unknown or is not of its type."""


class PlaybookError(TenureError):
    """The file of plays and triggers is missing or wrong, or a play cannot be run as asked."""


class StoreError(TenureError):
    """The store of scores, feedback and tokens cannot be used, or refuses what it was given."""


class ServiceError(TenureError):
    """The service cannot be started as asked, kept up, or asked for what a verb needs of it."""


class AccessError(TenureError):
    """A token cannot be made or revoked as asked."""


class AuditError(TenureError):
    """The audit log cannot be written, so that nothing is read; or it does not hold together."""


class BackupError(TenureError):
    """A backup cannot be made, is damaged or newer, or there is something where it shall go."""


class ErasureError(TenureError):
    """An account cannot be erased, or what is kept of erased ones cannot be read."""
