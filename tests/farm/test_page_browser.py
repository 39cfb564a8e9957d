"""The page in a real browser, by clicking: a head renders with the stub, Chromium looks and presses, the ledger tells.

Needs `playwright` (no browser of its own is downloaded) and a Chromium of the system, which `DVP_CHROMIUM` may name.
"""

import json
import os
import re
import shutil
import signal
import time

import pytest
from head_process import SCRIPT, Head

from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, job_to_dict
from farm.client import FarmClient
from farm.command_line import Reach
from farm.open_command import open_page
from farm.tokens import add_user

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("DVP_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = [
    pytest.mark.xdist_group("farm-browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; DVP_CHROMIUM may name one"),
]
HARM = '<img src=x onerror="window.harm=1">'
SCRIPT_TEXT = "</pre><script>window.harm=1</script>{{harm}} ${harm}"
ENDED = ("completed", "failed", "cancelled")
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.blockedURI));
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "site").mkdir()
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parent), before])
    head = Head(folder / "state", folder / "site", "this-machine").start()
    os.environ["PYTHONPATH"] = before
    yield head
    assert head.end(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def browser():
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # as root there is no other way
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """A new tab of 1280 by 800; at its end it must have broken no policy, run into no error and told no secret."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.troubles, page.addresses, page.allowed, page.secrets = [], [], [], []
    page.on("console", lambda message: message.type == "error" and page.troubles.append(message.text))
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("dialog", lambda dialog: page.troubles.append(dialog.message))
    page.on("request", lambda request: page.addresses.append(request.url))
    yield page
    assert page.evaluate("window.violations") == []
    assert page.evaluate("window.harm") is None
    assert [text for text in page.troubles if not any(allowed in text for allowed in page.allowed)] == []
    assert {address.split("/")[2] for address in page.addresses if address.startswith("http")} <= {
        page.url.split("/")[2]
    }
    assert not [address for address in page.addresses for secret in page.secrets if secret in address.partition("#")[0]]
    context.close()


def submit(head, job_id, *, plan=None, **changes):
    folder = head.site / job_id
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps({"pictures": True} | (plan or {})))
    paths = {"passes": "site:p", "generator": "site:g.safetensors", "output": f"site:{job_id}/frame.####.png"}
    settings = {"id": job_id, "name": job_id, "frames": "1-60", "chunk_size": 6} | paths | changes
    head.client.submit(job_to_dict(Job(**settings)))
    return job_id


def wait_until(is_so, *, limit_s=30):
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.05)


def wait_for_state(head, job_id, *states):
    wait_until(lambda: head.client.job(job_id)["state"] in states)


def signed_in(tab, head, path="#/jobs", client=None):
    code = (client or head.client).session_code()
    tab.secrets += [code, (client or head.client).token]
    tab.goto(f"{head.url}/#code={code}")
    tab.get_by_role("heading", name="Jobs").wait_for()
    if path != "#/jobs":
        tab.goto(f"{head.url}/{path}")
    return tab


def finished_count(tab):
    text = tab.locator(".key[data-state=completed]").text_content()
    return int(re.match(r"\d+", text).group())


# ---- signing in


def test_token_signs_in_and_is_not_kept(tab, head):
    tab.goto(head.url)
    tab.get_by_label("Your token").fill("wrong")
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_text("This head does not know that token.").wait_for()
    tab.allowed.append("401")
    tab.secrets.append(head.client.token)
    tab.get_by_label("Your token").fill(head.client.token)
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name="Jobs").wait_for()
    kept = tab.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
    assert head.client.token not in kept
    tab.reload()
    tab.get_by_role("heading", name="Jobs").wait_for()
    tab.get_by_role("button", name="Sign out").click()
    tab.get_by_label("Your token").wait_for()
    assert tab.evaluate("sessionStorage.length") == 0
    tab.reload()
    tab.get_by_label("Your token").wait_for()


def test_link_of_the_command_works_once_and_leaves_no_trace(tab, head, capsys):
    link = open_page(browser=False, reach=Reach(connection=head.state / "connection.json"))["url"]
    assert link in capsys.readouterr().out
    tab.secrets.append(link.partition("code=")[2])
    tab.goto(link)
    tab.get_by_role("heading", name="Jobs").wait_for()
    assert tab.url == f"{head.url}/#/jobs"
    assert "code" not in tab.evaluate("JSON.stringify(history.state) + location.href")
    tab.allowed.append("401")
    tab.evaluate("sessionStorage.clear()")
    tab.goto("about:blank")
    tab.goto(link)
    tab.get_by_text("used already or is too old").wait_for()


def test_ended_session_asks_to_sign_in_again(tab, head):
    guest = FarmClient(head.url, add_user(head.state / "tokens.json", name="leaver", role="submit"))
    signed_in(tab, head, client=guest)
    tab.allowed.append("401")
    add_user(head.state / "tokens.json", name="leaver", role="submit")
    tab.get_by_text("Your session has ended.").wait_for()
    tab.get_by_label("Your token").wait_for()


# ---- watching and acting


def test_frames_advance_and_buttons_change_the_ledger(tab, head):
    job_id = submit(head, "steered", name="Steered shot", frames="1-400", plan={"seconds_per_frame": 0.05})
    signed_in(tab, head)
    tab.get_by_role("link", name="Steered shot").click()
    tab.get_by_role("heading", name="Steered shot").wait_for()
    tab.locator(".key[data-state=completed]").wait_for()
    before = finished_count(tab)
    wait_until(lambda: finished_count(tab) > before)
    tab.locator(".pictures img").wait_for()
    assert tab.evaluate("document.querySelector('.pictures img').naturalWidth") == 16

    tab.get_by_role("button", name="Pause").click()
    tab.get_by_role("button", name="Resume").wait_for()
    assert head.client.job(job_id)["state"] == "paused"
    tab.get_by_role("button", name="Resume").click()
    tab.get_by_role("button", name="Pause").wait_for()
    wait_for_state(head, job_id, "active")

    tab.get_by_role("button", name="Cancel", exact=True).click()
    tab.get_by_role("button", name="Go on").click()
    assert head.client.job(job_id)["state"] == "active"
    tab.get_by_role("button", name="Cancel", exact=True).click()
    tab.get_by_role("button", name="Cancel the job").click()
    tab.get_by_role("button", name="Retry all unfinished").wait_for()
    assert head.client.job(job_id)["state"] == "cancelled"
    (head.site / job_id / "plan.json").write_text('{"pictures": true}')
    tab.get_by_role("button", name="Retry all unfinished").click()
    wait_for_state(head, job_id, "completed")
    tab.locator(".state[data-state=completed]").wait_for()
    tab.get_by_role("button", name="Contact sheet").click()
    tab.get_by_text("Frames spread over the shot").wait_for()


def test_failed_frame_tells_why_and_is_tried_again(tab, head):
    job_id = submit(head, "failing", plan={"raise": {"33": 9}}, max_retries_per_frame=1)
    wait_for_state(head, job_id, "failed")
    signed_in(tab, head, f"#/jobs/{job_id}")
    tab.get_by_role("button", name="1 failed").click()
    panel = tab.get_by_label("Chosen frame", exact=True)
    panel.get_by_role("heading", name="Frame 33").wait_for()
    panel.get_by_text(re.compile("failed, 2 . failed")).wait_for()
    tab.get_by_text("Frame 33 is not finished.").wait_for()
    assert not tab.locator(".pictures img").is_visible()
    assert panel.locator(".attempts > li").count() == 2
    panel.locator(".attempts button").first.click()
    tab.get_by_role("heading", name=re.compile(r"Log of attempt \d+")).wait_for()
    tab.locator(".lines > li").first.wait_for()
    wait_until(lambda: tab.locator(".lines > li").count() == 1)
    (head.site / job_id / "plan.json").write_text('{"pictures": true}')
    tab.get_by_role("button", name="Retry these").click()
    wait_until(lambda: head.client.frames(job_id)[32]["state"] == "completed")
    panel.get_by_text("finished").wait_for()
    tab.locator(".pictures img").wait_for()
    key = head.client.frames(job_id)[32]["key"]
    panel.get_by_text(key).wait_for()


def test_mouse_and_keyboard_choose_frames(tab, head):
    job_id = submit(head, "chosen", frames="101-160")
    wait_for_state(head, job_id, "completed")
    signed_in(tab, head, f"#/jobs/{job_id}")
    tab.locator(".key[data-state=completed]").wait_for()
    box = tab.locator(".grid canvas").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    number = re.search(r"Frame (\d+) · finished", tab.locator(".tip").text_content()).group(1)
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    tab.get_by_role("heading", name=f"Frame {number}").wait_for()
    tab.wait_for_url(f"**/#/jobs/{job_id}/frames/{number}")
    tab.keyboard.press("Home")
    for _ in range(4):
        tab.keyboard.press("Shift+ArrowRight")
    assert tab.get_by_label("Chosen frames").input_value() == "101-105"
    tab.get_by_role("heading", name="Frame 105").wait_for()
    tab.keyboard.press("End")
    tab.get_by_role("heading", name="Frame 160").wait_for()
    tab.locator(".picture").click()
    tab.locator("dialog.large img").wait_for()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Escape")
    tab.get_by_role("heading", name="Frame 159").wait_for()


def test_address_leads_to_a_frame_and_back(tab, head):
    submit(head, "linked", frames="1-10")
    wait_for_state(head, "linked", "completed")
    signed_in(tab, head, "#/jobs/linked/frames/7")
    tab.get_by_role("heading", name="Frame 7").wait_for()
    tab.locator(".crumb a").click()
    tab.get_by_role("heading", name="Jobs").wait_for()
    tab.get_by_label("Find jobs by name, id or owner").fill("linked")
    wait_until(lambda: tab.locator(".jobs > li").count() == 1)
    tab.get_by_role("button", name="Failed").click()
    tab.get_by_text("No job is like that.").wait_for()


def test_priority_is_set(tab, head):
    job_id = submit(head, "prior", is_paused_at_start=True)
    signed_in(tab, head, f"#/jobs/{job_id}")
    field = tab.get_by_label("Priority")
    field.fill("700")
    tab.keyboard.press("Enter")  # the browser itself refuses it
    assert head.client.job(job_id)["priority"] == 50
    field.fill("70")
    tab.get_by_role("button", name="Set").click()
    tab.get_by_text("Priority 70.").wait_for()
    assert head.client.job(job_id)["priority"] == 70
    tab.get_by_role("button", name="Set").wait_for(state="hidden")


def test_workers_tell_what_they_do(tab, head):
    job_id = submit(head, "busy", name="Busy shot", frames="1-300", plan={"seconds_per_frame": 0.05})
    signed_in(tab, head, "#/workers")
    line = tab.locator(".workers > li[data-state=active]").first
    line.get_by_text(re.compile(r"frame \d+, \d of 6 in its chunk")).wait_for()
    line.get_by_role("link", name="Busy shot").click()
    tab.get_by_role("heading", name="Busy shot").wait_for()
    head.client.act(job_id, "cancel")


def test_others_jobs_may_be_looked_at(tab, head):
    job_id = submit(head, "anothers", is_paused_at_start=True)
    guest = FarmClient(head.url, add_user(head.state / "tokens.json", name="guest", role="submit"))
    signed_in(tab, head, f"#/jobs/{job_id}", client=guest)
    tab.get_by_text("This job belongs to owner; you may look.").wait_for()
    assert tab.get_by_role("button", name="Resume").is_disabled()
    assert tab.get_by_role("button", name="Cancel", exact=True).is_disabled()


def test_refusals_are_told(tab, head):
    job_id = submit(head, "raced", is_paused_at_start=True)
    signed_in(tab, head, f"#/jobs/{job_id}")
    tab.get_by_role("button", name="Resume").wait_for()
    tab.route("**/page", lambda route: route.abort())  # the page learns nothing new meanwhile
    tab.allowed += ["ERR_FAILED", "409"]
    head.client.act(job_id, "cancel")
    tab.get_by_role("button", name="Resume").click()
    tab.get_by_text("cannot resume a job that is cancelled").wait_for()


# ---- harm


def test_texts_that_look_like_code_do_nothing(tab, head):
    plan = {"raise": {"2": 9}, "words": SCRIPT_TEXT + "\n" + HARM}
    changes = {"name": HARM + SCRIPT_TEXT, "notes": HARM, "frames": "1-4", "max_retries_per_frame": 0}
    job_id = submit(head, "harm", plan=plan, **changes)
    wait_for_state(head, job_id, "failed")
    signed_in(tab, head)
    tab.get_by_text(HARM).first.wait_for()
    tab.goto(f"{head.url}/#/jobs/{job_id}/frames/2")
    tab.get_by_role("heading", name="Frame 2").wait_for()
    assert tab.locator("h1").text_content() == changes["name"]
    tab.locator(".attempts details summary").click()
    tab.locator(".lines details summary").first.click()
    assert SCRIPT_TEXT in tab.locator(".lines pre").first.text_content()
    tab.locator("summary", has_text="Job").click()
    tab.locator("details .facts").get_by_text(HARM).wait_for()
    assert tab.locator("main script, main img[src=x]").count() == 0
    tab.allowed.append("404")
    tab.goto(f"{head.url}/#/jobs/{HARM.replace('/', '')}")
    tab.get_by_text("This head knows no such job.").wait_for()


def test_policy_stops_what_would_be_injected(browser, head):
    page = browser.new_page()
    page.goto(head.url)
    refused = page.evaluate(
        """async () => {
          const tries = {
            markup: () => (document.body.innerHTML = "<b>x</b>"),
            code: () => document.body.setAttribute("onclick", "window.harm = 1") ?? document.body.click(),
            text: () => (document.createElement("script").text = "window.harm = 1"),
            elsewhere: () => fetch("http://127.0.0.1:9/"),
          };
          const refused = [];
          for (const [name, act] of Object.entries(tries)) {
            try { await act(); } catch { refused.push(name); }
          }
          return [refused, window.harm ?? null];
        }"""
    )
    assert refused == [["markup", "code", "text", "elsewhere"], None]
    page.close()


def test_other_pages_can_neither_frame_nor_read_it(browser, head):
    page = browser.new_page()
    page.set_content(f"<iframe src='{head.url}/'></iframe>")
    page.wait_for_timeout(1000)
    framed = [frame.url for frame in page.frames if frame != page.main_frame]
    assert framed == ["chrome-error://chromewebdata/"]
    token = head.client.token
    answer = page.evaluate(
        f"""fetch("{head.url}/api/v1/jobs", {{headers: {{Authorization: "Bearer {token}"}}}}).then(() => 1, () => 0)"""
    )
    assert answer == 0
    page.close()


# ---- shape


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(browser, head, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(head.url)
    page.locator("#token").wait_for()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(value) for value in re.findall(r"\d+", ground)[:3]) / 3
    assert (brightness < 64) is (scheme == "dark")
    page.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(tab, head, width):
    job_id = submit(head, f"wide-{width}", name="A" * 200, notes="b" * 400, frames="1-333", is_paused_at_start=True)
    tab.set_viewport_size({"width": width, "height": 800})
    for path in ("#/jobs", f"#/jobs/{job_id}", "#/workers"):
        signed_in(tab, head, path)
        tab.wait_for_timeout(300)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, path
    head.client.act(job_id, "cancel")


def test_long_shot_opens_and_moves_quickly(tab, head):
    submit(head, "long", frames="1-100000", chunk_size=1000, is_paused_at_start=True)
    signed_in(tab, head, "#/jobs/long")
    tab.get_by_text("100\u202f000 waiting").first.wait_for()
    tab.locator(".grid canvas").focus()
    tab.keyboard.press("End")
    tab.get_by_role("heading", name="Frame 100000").wait_for()
    drawn_count = tab.evaluate(
        """() => {
          const canvas = document.querySelector(".grid canvas");
          const pen = canvas.getContext("2d");
          let count = 0;
          pen.fillRect = (...box) => (count += 1) && CanvasRenderingContext2D.prototype.fillRect.apply(pen, box);
          const press = () => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
          for (let step = 0; step < 50; step += 1) press();
          return count;
        }"""
    )
    assert 50 <= drawn_count <= 1000  # some cells a step are drawn again, not a hundred thousand
    tab.get_by_role("heading", name="Frame 99950").wait_for()


def test_silent_head_is_told_and_found_again(tab, head):
    signed_in(tab, head)
    tab.get_by_text("Live").wait_for()
    tab.allowed.append("ERR_CONNECTION_REFUSED")
    tab.route("**/overview", lambda route: route.abort("connectionrefused"))
    tab.get_by_text("The head does not answer; trying again").wait_for()
    tab.unroute("**/overview")
    tab.get_by_text("Live").wait_for()


@pytest.mark.parametrize("text", ["1", "1-20,33", "1,3", "1,5,9-30", "40-60x5,70", "-3-3,100", "1,2,4,8,16", "7-9x2"])
def test_chosen_frames_are_written_so_that_the_farm_reads_the_same(browser, head, text):
    numbers = list(FrameRange.parse(text).numbers)
    page = browser.new_page()
    page.goto(head.url)
    written = page.evaluate("async (numbers) => (await import('/page/format.js')).rangeText(numbers)", numbers)
    page.close()
    assert list(FrameRange.parse(written).numbers) == numbers
