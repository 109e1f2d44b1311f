"""JupyterLab's server on loopback: `jupyterlab.py PORT TOKEN FOLDER`."""

import sys

from jupyterlab_server import LabServerApp  # pyright: ignore

port, token, folder = sys.argv[1:]
LabServerApp.launch_instance(
    [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--LabServerApp.workspaces_dir={folder}/workspaces",
        f"--LabServerApp.user_settings_dir={folder}/settings",
        f"--LabServerApp.schemas_dir={folder}/schemas",
    ]
)
