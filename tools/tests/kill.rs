//! A run of `hb_compile` that is killed leaves no half of a result under its final name, and the next run succeeds.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a run is killed.
const POINTS: u32 = 50;

fn configuration(folder: &Path) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let mut text = std::fs::read_to_string(example.join("config.yaml")).expect("a configuration");
    for (old, new) in [("'./data/calibration'", "data/calibration"), ("'model.onnx'", "model.onnx")] {
        text = text.replace(old, &format!("'{}'", example.join(new).display()));
    }
    // A folder among the results, too.
    let text = text.replace("model_parameters:\n", "model_parameters:\n  debug_mode: dump_calibration_data\n");
    std::fs::write(folder.join("cfg.yaml"), text).expect("a file");
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_hb_compile"))
        .current_dir(folder)
        .args(["-c", "cfg.yaml", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Every file below a folder by its path, without what is still written aside and without the log, which tells of one run.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, before)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".hb-") || name == "hb_compile.log" {
                continue;
            }
            let path = format!("{before}{name}");
            if entry.path().is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                found.insert(path, std::fs::read(entry.path()).expect("a file"));
            }
        }
    }
    found
}

/// How much lies in a folder that is still written aside.
fn temporary(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".hb-")).count()
}

/// The outputs that a program of the user's judges lie among the results, where the next run removes them.
#[test]
fn a_run_that_is_killed_while_a_program_judges_leaves_nothing_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    configuration(folder.path());
    let file = folder.path().join("cfg.yaml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    let judged = text.replace("calibration_type: 'max'", "calibration_type: 'default'");
    let judged = judged.replace(
        "calibration_parameters:\n",
        "calibration_parameters:\n  accuracy_command: 'touch begun; sleep 5; echo 1 #'\n",
    );
    std::fs::write(
        &file,
        judged.lines().filter(|line| !line.contains("max_percentile")).collect::<Vec<_>>().join("\n"),
    )
    .expect("a file");
    let mut child = start(folder.path());
    let begin = Instant::now();
    while !folder.path().join("begun").exists() {
        assert!(child.try_wait().expect("a state").is_none() && begin.elapsed() < Duration::from_secs(120), "begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("can be killed");
    child.wait().expect("ends");
    let results = folder.path().join("model_output");
    assert!(temporary(&results) > 0, "it lies among the results");
    std::fs::write(&file, text).expect("a file");
    assert!(start(folder.path()).wait().expect("ends").success());
    assert_eq!(temporary(&results), 0);
}

#[test]
fn a_killed_run_leaves_whole_files_only() {
    let whole = tempfile::tempdir().expect("a folder");
    configuration(whole.path());
    let begin = Instant::now();
    assert!(start(whole.path()).wait().expect("ends").success());
    let mut duration = begin.elapsed();
    let expected = results(&whole.path().join("model_output"));
    assert!(expected.contains_key("digits.hbm") && expected.contains_key("calibration_data/image/000000.npy"));
    let mut killed = 0;
    for point in 0..POINTS {
        let folder = tempfile::tempdir().expect("a folder");
        configuration(folder.path());
        let mut child = start(folder.path());
        // Two thirds of the moments lie in the last third of a run, where files get their names.
        let share = f64::from(point) / f64::from(POINTS);
        let share = if share < 1.0 / 3.0 { share * 2.0 } else { 2.0 / 3.0 + (share - 1.0 / 3.0) * 0.55 };
        let begin = Instant::now();
        let moment = duration.mul_f64(share);
        let mut ended = false;
        while !ended && begin.elapsed() < moment {
            std::thread::sleep(Duration::from_millis(1).min(moment.saturating_sub(begin.elapsed())));
            ended = child.try_wait().expect("a state").is_some();
        }
        // The first run reads its files from the disk, and neighbours come and go: the quickest run so far says what a share is.
        if ended {
            duration = duration.min(begin.elapsed());
        }
        child.kill().expect("can be killed");
        child.wait().expect("ends");
        killed += u32::from(!ended);
        for (path, bytes) in results(&folder.path().join("model_output")) {
            assert!(expected.get(&path) == Some(&bytes), "killed at {share:.2} of a run, {path} is not whole");
        }
        // What was left does not stand in the way. One run in ten is enough to see it.
        if point % 10 == 9 {
            assert!(start(folder.path()).wait().expect("ends").success());
            assert!(results(&folder.path().join("model_output")) == expected, "another result after a killed run");
            assert_eq!(temporary(&folder.path().join("model_output")), 0, "what was left is removed");
        }
    }
    assert!(killed > POINTS / 2, "only {killed} runs were still going");
}
