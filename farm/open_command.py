"""`dvp farm open`: the head's page in the browser, signed in by a code that works once."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from farm.client import FarmError, connect


def open_page(*, browser: bool = True, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """Show the farm's page in the browser, signed in as yourself.

    The link holds a code that works once and for a minute, behind the `#` that browsers send to nobody.

    Args:
        browser: Open the browser; otherwise only the link is printed.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    try:
        client = connect(url=url, connection=connection)
        link = f"{client.url.rstrip('/')}/#code={client.session_code()}"
    except FarmError as error:
        raise DataError(str(error)) from error
    is_open = browser and webbrowser.open(link)
    sys.stdout.write(f"the farm's page is open in the browser: {client.url}\n" if is_open else f"{link}\n")
    return {"url": client.url if is_open else link}
