//! The report from outside: runs as they lie on disk go in, and what comes out is read, the page in a browser.
//!
//! The browser is Chromium (`./setup.sh browser`); without it the test fails.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;
use headless_chrome::browser::{default_executable, tab::Tab};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Network};
use headless_chrome::{Browser, LaunchOptions};
use nas_search::cost::Objective;
use nas_search::pareto::{Estimate, LayerPoint, Point};
use nas_search::run::{Budgets, Config, Granularity, Method, Processor, Route, Run, Weights};
use nas_search::space::Assignment;
use nas_search::train::{Recipe, Sampling};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// A run with nothing in it but its points.
fn run(folder: &Path, task: &str, granularity: Granularity, seed: u64, points: &[Point]) {
    create(folder, config(folder, task, granularity, seed), points);
}

fn config(folder: &Path, task: &str, granularity: Granularity, seed: u64) -> Config {
    Config {
        format: Config::FORMAT.into(),
        version: Config::VERSION,
        task: task.into(),
        data: None,
        model: None,
        granularity,
        method: Method::Regulariser,
        weights: vec![0, 2, 4, 8],
        activations: vec![2, 4, 8],
        objectives: vec![Objective::Cycles],
        measured: false,
        lambdas: vec![0.1, 0.5, 2.0],
        targets: vec![],
        descents: vec![],
        sampling: Sampling::Argmax,
        temperature: [1.0, 1.0],
        split: None,
        refine: true,
        fixed: vec![(8, 8), (2, 2)],
        recipe: Recipe::BASE,
        validation: 0.0,
        seed,
        threads: 1,
        device: Processor::Cpu,
        simulate: Some(3),
        warm_start: false,
        command: format!(
            "nas-search --seed {seed} --out <{}>",
            folder.file_name().expect("a name").display()
        ),
    }
}

fn create(folder: &Path, config: Config, points: &[Point]) {
    Run::create(folder, config, None, &Weights::None).expect("created");
    for p in points {
        let at = folder.join("points").join(&p.id);
        fs::create_dir_all(&at).expect("folder");
        fs::write(at.join("report.json"), serde_json::to_vec(p).expect("JSON")).expect("written");
    }
}

/// A point of two layers, the second of 8 + 4 channels and 4 pruned.
fn point(id: &str, seed: u64, accuracy: f64, cycles: u64, size: usize) -> Point {
    let lost = |reasons: &[(&str, u64)]| reasons.iter().map(|&(why, n)| (why.into(), n)).collect();
    let layer = |name: &str, channels, cycles, stalls, predicted| LayerPoint {
        name: name.into(),
        input_bits: 8,
        channels,
        cycles,
        stalls: lost(stalls),
        predicted_cycles: Some(predicted),
    };
    let said = |model: &str, unit: &str, value| Estimate { model: model.into(), unit: unit.into(), value };
    Point {
        id: id.into(),
        run: "elsewhere".into(),
        granularity: id.split('-').next().expect("a part").into(),
        method: "descent".into(),
        objective: "cycles".into(),
        lambda: Some(0.5),
        seed,
        accuracy,
        accuracy_fake_quantised: accuracy + 0.25,
        accuracy_float: 91.5,
        accuracy_search: Some(90.5),
        accuracy_decided: Some(89.25),
        metric: None,
        confusion: None,
        accuracy_validation: None,
        weight_bytes: size,
        flash_bytes: size + 1000,
        ram_peak_bytes: size / 2,
        cycles,
        program_cycles: cycles + 500,
        energy_uj: cycles as f64 / 50_000.0,
        energy_uj_range: [cycles as f64 / 60_000.0, cycles as f64 / 40_000.0],
        energy_uj_constant: cycles as f64 / 45_000.0,
        predicted_cycles: Some(cycles as f64 * 1.01),
        cost_model: "measured table".into(),
        costs: vec![
            said("measured table", "cycles", cycles as f64 * 1.01),
            said("size", "bytes", size as f64),
            said("macs", "MACs", 5e6),
        ],
        simulated_inputs: 3,
        bit_exact: true,
        macs: 5_000_000,
        layers: vec![
            layer("pool", vec![], 1234, &[("load_use", 617), ("fence", 1)], 1234.0),
            layer(
                "conv",
                vec![(8, 8), (2, 4)],
                cycles - 1234,
                &[("taken_branch", (cycles - 1234) / 100), ("load_use", (cycles - 1234) / 50)],
                cycles as f64 * 1.01 - 1234.0,
            ),
        ],
        assignment: Assignment {
            weights: vec![vec![], [vec![8; 8], vec![2; 4], vec![0; 4]].concat(), vec![]],
            activations: vec![8, 4, 4],
        },
    }
}

fn report(folder: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("nas-search").expect("built").current_dir(folder).arg("report").args(args).assert()
}

/// Four runs: channel-wise (two seeds), layer-wise, fixed.
fn runs(folder: &Path) {
    use Granularity::{Channel, Fixed, Layer};
    let channel = |seed: u64| {
        let s = seed * 20_000;
        [
            point("channel-0.1", seed, 88.0, 900_000 + s, 30_000),
            point("channel-0.5", seed, 87.0, 700_000 + s, 20_000),
            point("channel-2", seed, 80.0, 400_000 + s, 10_000),
        ]
    };
    run(&folder.join("a"), "fashion", Channel, 1, &channel(1));
    run(&folder.join("deep/a"), "fashion", Channel, 2, &channel(2));
    run(&folder.join("layer"), "fashion", Layer, 1, &[point("layer-0.5", 1, 86.0, 800_000, 9_000)]);
    run(&folder.join("fixed"), "fashion", Fixed, 1, &[point("fixed-w8a8", 1, 89.0, 1_200_000, 40_000)]);
}

#[test]
fn files_and_tables_agree_with_the_runs() {
    let dir = tempfile::tempdir().expect("tempdir");
    runs(dir.path());
    // Two runs have the same last part: they are told apart.
    report(dir.path(), &["a", "deep/a", "layer", "fixed", "--out", "out"]).success().stdout(
        contains("* a/channel-2")
            .and(contains("deep/a/channel-2"))
            .and(contains("88.00 %"))
            .and(contains("measured table                     8        1.000        1.000         1.00 %"))
            .and(contains("macs                               8            -            -              -")),
    );
    let out = dir.path().join("out");
    let read = |name: &str| fs::read_to_string(out.join(name)).expect(name);
    let json: Value = serde_json::from_str(&read("pareto.json")).expect("JSON");
    assert_eq!((&json["format"], &json["metric"]), (&"nas-pareto".into(), &"accuracy".into()));
    assert_eq!(json["points"].as_array().expect("points").len(), 8);
    assert_eq!(json["runs"][1]["name"], "deep/a");
    assert_eq!(json["runs"][1]["seed"], 2);
    // By size: 3 pairs of the same network and other seed are tied, all other pairs of channel-wise and fixed agree (18),
    // and layer-0.5, the smallest, disagrees with the four of fewer cycles and agrees with the three of more.
    let size = &json["ranking"][1];
    assert_eq!(size["model"], "size");
    let tau = size["tau_cycles"].as_f64().expect("tau");
    assert!((tau - (18.0 + 3.0 - 4.0) / (25.0f64 * 28.0).sqrt()).abs() < 1e-12, "{tau}");
    assert_eq!(size["largest_error"], Value::Null);
    assert!((json["ranking"][0]["largest_error"].as_f64().expect("error") - 0.01).abs() < 1e-9);

    let csv = read("pareto.csv");
    assert_eq!(csv.lines().count(), 9);
    assert!(csv.contains(
        "\ndeep/a,channel-0.5,channel,descent,cycles,0.5,2,87,87.25,91.5,20000,21000,10000,740000,"
    ));
    let svg = read("pareto.svg");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<title>").count(), 8, "every point says what it is");
    assert_eq!(svg.matches("<polyline class=\"front\"").count(), 4, "a front for each granularity and seed");
    assert_eq!(svg.matches("<polyline class=\"descent\"").count(), 0, "no descent");
    for legend in ["channel-wise", "layer-wise", "fixed widths", "front of all points"] {
        assert!(svg.contains(legend));
    }
    // Without scripts: everything of every point, and what users type is text.
    let html = read("report.html");
    assert_eq!(html.matches("<article class=\"point\"").count(), 8);
    assert!(html.contains("8 of 8 bits, 4 of 2 bits, 4 pruned") && html.contains("&lt;a&gt;"));
    let own = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!own.contains("http:") && !own.contains("https:"), "the page names no other place");
}

/// The polylines of a class in a picture, each as its corners in their order.
fn corners(svg: &str, class: &str) -> Vec<Vec<(i32, i32)>> {
    let number = |text: &str| text.parse().expect("a whole number");
    let corner = |text: &str| text.split_once(',').map(|(x, y)| (number(x), number(y))).expect("two numbers");
    let begin = format!("<polyline class=\"{class}\"");
    let lines = svg.split(&begin).skip(1);
    let points =
        lines.map(|rest| rest.split("points=\"").nth(1).and_then(|p| p.split('"').next()).expect("corners"));
    points.map(|p| p.split(' ').map(corner).collect()).collect()
}

#[test]
fn a_descent_is_one_line_past_what_is_beaten() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("down, slowly");
    let budgets = [900_000, 800_000, 700_000];
    let points: Vec<Point> = [(budgets[0], 88.0), (budgets[1], 86.0), (budgets[2], 87.0)]
        .map(|(cycles, accuracy)| point(&format!("channel-cycles-{cycles}"), 1, accuracy, cycles, 1000))
        .into();
    let mut config = config(&folder, "fashion", Granularity::Channel, 1);
    (config.method, config.lambdas) = (Method::Descent, vec![]);
    let allowed = budgets.map(|b| b as f64).to_vec();
    config.descents = vec![Route {
        id: "channel".into(),
        folder: "channel-cycles-700000".into(),
        space: config.space(),
        limits: vec![Budgets { objective: Objective::Cycles, allowed }],
    }];
    create(&folder, config, &points);
    report(dir.path(), &["down, slowly", "--out", "out"]).success();
    let csv = fs::read_to_string(dir.path().join("out/pareto.csv")).expect("table");
    assert!(
        csv.contains("\n\"down, slowly\",channel-cycles-900000,channel,"),
        "a comma in a name splits nothing: {csv}"
    );
    let svg = fs::read_to_string(dir.path().join("out/pareto.svg")).expect("picture");
    // As it went: from right to left, and down and up again.
    let [way] = corners(&svg, "descent").try_into().expect("one descent");
    let [(right, top), (middle, bottom), (left, between)] = way[..] else { panic!("three stops in {way:?}") };
    assert!(right > middle && middle > left && top < between && between < bottom, "{way:?}");
    // The front leaves out what the third stop beats; that of all points is the same.
    assert_eq!(corners(&svg, "front"), [[(left, between), (right, top)]]);
    assert_eq!(corners(&svg, "best"), corners(&svg, "front"));
    assert!(svg.contains("one descent"));
    // Scales have as many digits as tell their lines apart: none along, one upwards.
    let text = svg.replace('\n', "");
    for tick in [">700<", ">800<", ">86.5<", ">87.0<"] {
        assert!(text.contains(tick), "{tick} in {text}");
    }
}

#[test]
fn scores_are_called_what_the_task_counts() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut p = point("channel-2", 1, 84.0, 400_000, 10_000);
    run(&dir.path().join("ad"), "ad", Granularity::Channel, 1, std::slice::from_ref(&p));
    report(dir.path(), &["ad", "--out", "out"])
        .success()
        .stdout(contains("100 x AUC").and(contains("84.00  ")).and(contains("84.00 %").not()));
    for file in ["report.html", "pareto.svg"] {
        let text = fs::read_to_string(dir.path().join("out").join(file)).expect(file);
        assert!(
            text.contains("100 x AUC") && !text.contains("accuracy") && !text.contains("84.00 %"),
            "{file}"
        );
    }
    // Of another task: their scores do not compare.
    p.id = "channel-0.1".into();
    run(&dir.path().join("other"), "fashion", Granularity::Channel, 1, std::slice::from_ref(&p));
    report(dir.path(), &["ad", "other"])
        .code(125)
        .stderr(contains("other is of task 'fashion' and ad of 'ad'").and(contains("report them apart")));
    // A report of before models were asked still loads.
    let path = dir.path().join("other/points/channel-0.1/report.json");
    let mut old: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    old.as_object_mut().expect("object").remove("costs").expect("costs");
    fs::write(&path, old.to_string()).expect("written");
    report(dir.path(), &["other", "--out", "out"]).success().stdout(contains("tau").not());
    let html = fs::read_to_string(dir.path().join("out/report.html")).expect("page");
    assert!(html.contains("do not say what other cost models say"));
}

/// The page in a browser, and what went wrong in it.
struct Page {
    address: String,
    tab: Arc<Tab>,
    complaints: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
}

impl Page {
    fn open(path: &Path) -> Self {
        let chromium = default_executable().unwrap_or_else(|e| {
            panic!("this test needs the browser Chromium; install it with ./setup.sh browser, or set CHROME to one ({e})")
        });
        let options = LaunchOptions::default_builder()
            .path(Some(chromium))
            .sandbox(false) // containers run tests as root, where Chromium has no sandbox
            .args(vec![std::ffi::OsStr::new("--disable-gpu")])
            .window_size(Some((1280, 900)))
            .idle_browser_timeout(Duration::from_secs(60))
            .build()
            .expect("options");
        let browser = Browser::new(options).expect("Chromium starts");
        let tab = browser.new_tab().expect("tab");
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let address = format!("file://{}", path.display());
        let (into, own) = (Arc::clone(&complaints), address.clone());
        tab.add_event_listener(Arc::new(move |event: &Event| {
            let what = match event {
                Event::LogEntryAdded(e) => e.params.entry.text.clone(),
                Event::RuntimeConsoleAPICalled(e) => format!("console: {:?}", e.params.args),
                Event::RuntimeExceptionThrown(e) => format!("exception: {:?}", e.params.exception_details),
                Event::NetworkRequestWillBeSent(e) if !e.params.request.url.starts_with(&own) => {
                    format!("asked for {}", e.params.request.url)
                }
                _ => return,
            };
            into.lock().expect("no panic in here").push(what);
        }))
        .expect("listening");
        tab.enable_log().expect("log");
        tab.enable_runtime().expect("runtime");
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })
        .expect("network");
        let page = Self { address, tab, complaints, _browser: browser };
        page.load("");
        page
    }

    /// Loads it anew, with something behind its address.
    fn load(&self, behind: &str) {
        self.tab.navigate_to(&format!("{}{behind}", self.address)).expect("navigates");
        self.tab.wait_until_navigated().expect("loads");
    }

    /// Value of an expression in the page.
    fn eval(&self, js: &str) -> Value {
        let done = self.tab.evaluate(js, false).unwrap_or_else(|e| panic!("{js}: {e}"));
        done.value.unwrap_or(Value::Null)
    }

    fn text(&self, js: &str) -> String {
        match self.eval(js) {
            Value::String(s) => s,
            other => panic!("{js} is {other}, not a text"),
        }
    }

    /// What of a selector is seen, as an expression.
    fn seen(&self, what: &str) -> u64 {
        self.eval(&format!(
            "[...document.querySelectorAll('{what}')].filter(e => e.getClientRects().length > 0).length"
        ))
        .as_u64()
        .expect("a count")
    }

    fn width(&self, width: u32) {
        self.tab
            .call_method(Emulation::SetDeviceMetricsOverride {
                width,
                height: 900,
                device_scale_factor: 1.0,
                mobile: false,
                scale: None,
                screen_width: None,
                screen_height: None,
                position_x: None,
                position_y: None,
                dont_set_visible_size: None,
                screen_orientation: None,
                viewport: None,
                display_feature: None,
                device_posture: None,
            })
            .expect("resized");
    }
}

#[test]
fn the_page_answers_in_a_browser() {
    let dir = tempfile::tempdir().expect("tempdir");
    runs(dir.path());
    report(dir.path(), &["a", "deep/a", "layer", "fixed", "--out", "out"]).success();
    let page = Page::open(&dir.path().join("out/report.html"));
    let spot = |point: usize| format!("figure[data-axis=cycles] .spot[data-point='{point}']");
    let tip = "document.getElementById('tip').hidden ? 'none' : document.getElementById('tip').textContent";
    let shown = "[...document.querySelectorAll('.point')].filter(e => e.offsetParent).map(e => e.querySelector('h3').textContent).join()";
    let find = |what: &str| page.tab.find_element(what).unwrap_or_else(|e| panic!("{what}: {e}"));

    // The best score is shown first: everything about it, and it alone.
    assert_eq!(page.text(shown), "fixed/fixed-w8a8");
    // Pointed at: what is said of a point, whole, and beside it.
    assert_eq!(page.text(tip), "none");
    find(&spot(6)).move_mouse_over().expect("moves");
    let said = page.text(tip);
    for part in
        ["layer/layer-0.5, seed 1", "accuracy: 86.00 %", "cycles: 800,000, predicted 808,000 (+1.00 %)"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(said.contains("weights: 9,000 bytes, RAM: 4,500 bytes"), "{said}");
    assert!(said.contains("16.00 uJ (13.33 to 20.00; model, not a measurement)"), "{said}");

    // Clicked: its layers, marked in every plot and in the table.
    find(&spot(0)).click().expect("clicks");
    assert_eq!(page.text(shown), "a/channel-0.1");
    assert_eq!(page.eval("document.querySelectorAll('.spot.picked[data-point=\"0\"]').length"), 5);
    assert_eq!(page.eval("document.querySelectorAll('.spot.picked').length"), 5);
    assert_eq!(page.text("document.querySelector('tr.picked td').textContent"), "a/channel-0.1 *");
    let bars = "[...document.querySelectorAll('#point-0 .bar div')].map(e => e.className + ' ' + e.textContent + ' ' + Math.round(100 * e.offsetWidth / e.parentNode.offsetWidth)).join()";
    assert_eq!(page.text(bars), "b8 w8:8 50,b2 w2:4 25,b0 w0:4 25");
    // The layer that takes longest is first, and says what it waited for.
    let rows = "[...document.querySelectorAll('#point-0 .layers tbody tr')].map(r => [...r.cells].filter((c, n) => n != 2).map(c => c.innerText).join(' ')).join()";
    assert_eq!(page.text(rows), "conv a8 918,766 99.9 % +1.00 %,pool a8 1,234 0.1 % 0.00 %");
    let lost = "[...document.querySelectorAll('#point-0 .lost')].map(e => e.innerText).join('; ')";
    assert_eq!(page.text(lost), "load use 2.0 %, taken branch 1.0 %; load use 50.0 %");
    assert_eq!(
        page.text(
            "[...document.querySelectorAll('#points th')].map(e => e.innerText.trim()).slice(0, 3).join()"
        ),
        "point,cycles,accuracy %"
    );
    assert_eq!(
        page.text("document.querySelector('#point-0 .cycles').innerText"),
        "920,000 simulated, 929,200 predicted by the measured table (+1.00 %)"
    );

    // The same by keyboard, in the plot and in the table.
    page.eval(&format!("document.querySelector(\"{}\").focus()", spot(7)));
    assert!(page.text(tip).starts_with("fixed/fixed-w8a8"));
    page.tab.press_key("Enter").expect("a key");
    assert_eq!(page.text(shown), "fixed/fixed-w8a8");
    page.eval("document.querySelector('#points tbody tr[data-point=\"2\"]').focus()");
    page.tab.press_key("Enter").expect("a key");
    assert_eq!(page.text(shown), "a/channel-2");
    assert_eq!(page.text("location.hash"), "#point-2");

    // Another axis: another picture, in which the picked point is elsewhere.
    assert_eq!(page.seen("figure[data-axis]"), 1);
    find(".controls button[data-axis='packed weights']").click().expect("clicks");
    assert_eq!(page.seen("figure[data-axis]"), 1);
    assert_eq!(page.seen("figure[data-axis=\"packed weights\"] .spot"), 8);
    let places = "[0, 6].map(n => document.querySelector(`figure[data-axis=\"packed weights\"] .spot[data-point=\"${n}\"]`).getBoundingClientRect().x)";
    assert_eq!(page.eval(&format!("(([big, small]) => big > small + 200)({places})")), true);

    // The other axes, and a seed less.
    let press = |what: &str| page.eval(&format!("document.querySelector(\"{what}\").click()"));
    for axis in ["RAM", "energy", "cycles"] {
        press(&format!(".controls button[data-axis='{axis}']"));
        assert_eq!(page.seen("figure[data-axis] svg"), 1);
        assert_eq!(page.seen(&format!("figure[data-axis={axis}] .spot")), 8);
    }
    for (rows, change) in [(5, "less"), (8, "more")] {
        press(".controls input[value='2']");
        assert_eq!(page.seen("#points tbody tr"), rows, "a seed {change}");
        assert_eq!(page.seen("figure[data-axis=cycles] .spot"), rows);
    }

    // Sorted by a click, and the other way by another.
    let names = "[...document.querySelectorAll('#points tbody tr')].map(r => r.cells[0].textContent.replace(' *', '')).join()";
    let weights = "#points th:nth-child(6) button";
    find(weights).click().expect("clicks");
    assert!(page.text(names).starts_with("layer/layer-0.5,a/channel-2,"), "{}", page.text(names));
    press(weights);
    assert!(page.text(names).starts_with("fixed/fixed-w8a8,"), "{}", page.text(names));
    assert!(page.text(names).ends_with(",layer/layer-0.5"));
    press("#points th:nth-child(1) button");
    assert!(page.text(names).starts_with("a/channel-0.1,a/channel-0.5,a/channel-2,deep/a/"));

    // Nothing sticks out, wide or narrow.
    assert_eq!(page.text("[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerHTML).join()"), "");
    for width in [1280, 420, 390] {
        page.width(width);
        let cut = "[...document.querySelectorAll('.legend li, figure text')].filter(e => e.getClientRects().length && (e.getBoundingClientRect().left < 0 || e.getBoundingClientRect().right > innerWidth)).map(e => e.textContent).join()";
        assert_eq!(page.text(cut), "", "cut off at {width} pixels");
        assert_eq!(page.eval("innerWidth"), width);
        assert_eq!(
            page.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
            0
        );
    }
    // The address leads back to a point.
    page.load("?again#point-2");
    assert_eq!(page.text(shown), "a/channel-2");
    // On paper every point is there.
    page.tab
        .call_method(Emulation::SetEmulatedMedia { media: Some("print".into()), features: None })
        .expect("print");
    assert_eq!((page.seen(".point"), page.seen("figure[data-axis]")), (8, 4));

    let complaints = page.complaints.lock().expect("no panic");
    assert!(complaints.is_empty(), "the page is in trouble: {complaints:?}");
}
