"""Opens what hb writes in a headless browser and looks at what is drawn.

    check.py TOOLS PERFETTO

Compiles the network of examples/digits and one with segments of the CPU, opens each report in Chromium, shows every tab, and then opens the traces
of `hb_sim perf --trace` in Perfetto, whose page lies in the folder PERFETTO. Exit status 1, with what is wrong, when a part of a page is
empty, the console has an error, or Perfetto has not every instruction. Chromium and its driver are Debian's.
"""
import functools
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What each tab must show, as an expression of JavaScript that is true when it does.
TABS = {
    "summary": "byId('tiles').children.length > 5 && byId('engines').children.length > 3 && byId('memory').rows.length > 3"
    " && byId('segments').rows.length > 0 && byId('roofline').textContent.length > 10",
    "temporal": "['utilization', 'loading', 'storing'].every(id => byId(id).querySelectorAll('rect').length > 10)",
    "layers": "byId('layer-table').rows.length === summary['layer details'].length + 1",
    "timeline": "[[context, canvas], [memoryContext, memoryMap]].every(([drawing, picture]) => new Set(new Uint32Array("
    "drawing.getImageData(label, axis, picture.width - label, picture.height - axis).data.buffer)).size > 3)"
    " && (([, first, bytes, start, duration]) => residentAt(place(start + duration / 2), row(first + bytes / 2)))(timeline.memory.residents[0])"
    " && byId('groups').rows.length === timeline.groups.length && byId('no-groups').hidden === timeline.groups.length > 0",
    "accuracy": "byId('judged').rows.length > 0 && byId('output-table').rows.length === measured.accuracy.outputs.length + 1"
    " && byId('accuracy-table').rows.length === measured.accuracy.nodes.length + 1"
    " && byId('accuracy-table').querySelectorAll('svg').length === measured.distributions.filter(Boolean).length"
    " && measured.distributions.some(Boolean)",
}
# Under this name the trace lies beside Perfetto's page.
TRACE = "trace.json"
QUERY = """const done = arguments[0];
const query = `select (select count(*) from slice) as slices, (select ifnull(group_concat(name), '') from thread where name is not null) as tracks,
  (select ifnull(group_concat(name), '') from stats where severity in ('error', 'data_loss') and value > 0) as errors`;
app.trace.engine.query(query).then(result => {
  const { slices, tracks, errors } = result.iter({ slices: 0, tracks: 'str', errors: 'str' });
  done([slices, tracks, errors]);
}).catch(error => done([0, '', String(error)]));"""


class Browser:
    """Chromium by the WebDriver protocol."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                break
        else:
            sys.exit("check.py: chromedriver did not start")
        self.address = f"http://127.0.0.1:{found[1]}"
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"], "binary": "/usr/bin/chromium"}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = f"/session/{self.call('/session', capabilities={'alwaysMatch': wanted})['sessionId']}"

    def call(self, path, method="POST", **parameters):
        body, kind = json.dumps(parameters).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, kind, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, address):
        self.call(f"{self.session}/url", url=address)

    def run(self, script, kind="sync"):
        return self.call(f"{self.session}/execute/{kind}", script=script, args=[])

    def console(self):
        return [entry["message"] for entry in self.call(f"{self.session}/se/log", type="browser")]

    def close(self):
        # Without it Chromium outlives its driver.
        self.call(self.session, method="DELETE")
        self.driver.terminate()
        self.driver.wait()


CONFIG = """
model_parameters: {{onnx_model: '{example}/model.onnx', march: nash-e, working_dir: '{folder}', output_model_file_prefix: net, run_on_cpu: '{on_cpu}'}}
input_parameters: {{input_name: image, input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, input_shape: 1x1x8x8,
  norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: '{example}/data/calibration', calibration_type: max}}
"""


def compiled(tools, folder, on_cpu):
    """The report of the network of examples/digits, and its trace."""
    os.mkdir(folder)
    config, trace = os.path.join(folder, "config.yaml"), os.path.join(folder, "trace.json")
    with open(config, "w") as file:
        file.write(CONFIG.format(example=os.path.join(ROOT, "examples", "digits"), folder=folder, on_cpu=on_cpu))
    subprocess.run([os.path.join(tools, "hb_compile"), "-q", "-c", config], check=True)
    perf = [os.path.join(tools, "hb_sim"), "perf", os.path.join(folder, "net.hbm"), "--trace", trace]
    subprocess.run(perf, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "net.html"), trace


def check_report(browser, page):
    # What other pages said.
    browser.console()
    browser.open(f"file://{page}")
    for tab, drawn in TABS.items():
        browser.run(f"document.querySelector('[data-tab={tab}]').click()")
        if browser.run(f"return byId('{tab}').hidden || !({drawn})"):
            yield f"{page}: the tab {tab!r} is not drawn"
    yield from (f"{page}: {message}" for message in browser.console())


def check_trace(browser, perfetto, trace):
    with open(trace) as file:
        events = json.load(file)["traceEvents"]
    instructions = sum(event["ph"] == "X" for event in events)
    engines = sorted(event["args"]["name"] for event in events if event["name"] == "thread_name")
    with serve(perfetto, trace) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        browser.open(f"{address}#!/?url={urllib.parse.quote(address + TRACE, safe='')}")
        end = time.monotonic() + 60
        while not (ready := browser.run("return typeof app === 'object' && Boolean(app.trace)")) and time.monotonic() < end:
            time.sleep(0.2)
        if not ready:
            yield f"{trace}: Perfetto does not open it"
            return
        slices, tracks, errors = browser.run(QUERY, "async")
        if slices != instructions or sorted(tracks.split(",")) != engines or errors:
            yield f"{trace}: Perfetto has {slices} of {instructions} instructions, the tracks {tracks}, not {engines}, and these errors: {errors}"


def serve(folder, trace):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return trace if urllib.parse.urlparse(path).path == f"/{TRACE}" else super().translate_path(path)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    tools, perfetto = sys.argv[1:]
    faults, browser = [], Browser()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, on_cpu in (("bpu", "None"), ("bpu_and_cpu", "residual_2/Add")):
                page, trace = compiled(tools, os.path.join(folder, name), on_cpu)
                faults += [*check_report(browser, page), *check_trace(browser, perfetto, trace)]
    finally:
        browser.close()
    for fault in faults:
        print(f"check.py: {fault}", file=sys.stderr)
    if not faults:
        print("check.py: every tab of the reports is drawn, and Perfetto has every instruction of the traces")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
