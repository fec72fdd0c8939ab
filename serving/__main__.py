"""Where a Bento's container starts: the service with the settings of that place."""

import os
from pathlib import Path

from serving.service import serve
from serving.settings import read_settings

if __name__ == "__main__":
    serve(read_settings(os.environ, Path.cwd()))
