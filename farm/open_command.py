"""`dvp farm open`: the head's page in the browser, signed in by a code that works once."""

from __future__ import annotations

import webbrowser
from typing import Any

from farm.command_line import OWN_HEAD, Reach, reached_head, say


def open_page(*, browser: bool = True, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Show the farm's page in the browser, signed in as yourself.

    The link holds a code that works once and for a minute, behind the `#` that browsers send to nobody.

    Args:
        browser: Open the browser; otherwise only the link is printed.
        reach: Where the head is.
    """
    with reached_head(reach) as client:
        link = f"{client.url.rstrip('/')}/#code={client.session_code()}"
    is_open = browser and webbrowser.open(link)
    say(f"the farm's page is open in the browser: {client.url}" if is_open else link)
    return {"url": client.url if is_open else link}
