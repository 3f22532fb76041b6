//! Files that nobody wrote in good faith: thousands of seeded mutations of every kind of file that is read. Each is an error or, where the
//! mutation is harmless, a success; never a panic, a crash, a hang, or memory beyond twice what the honest file needs.
//!
//! Mutations run in child processes of this test binary, because C++ code reads some of these files and a crash there ends the process. A
//! child works at a range of mutations and notes in a file which one it is at; when it dies, the parent names that one and goes on behind
//! it. To see one again: `HB_HOSTILE="KIND FOLDER BEGIN END" cargo nextest run -p hb --test hostile worker`, with the folder that a failure
//! names; `case` and `mutated` are left there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kinds;
mod mutate;
mod onnx;

use kinds::Kind;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Address space of a child in KiB: what the libraries and the threads map, and no more than any honest file here could need.
const ADDRESS_SPACE: usize = 4 << 20;
/// What a mutation may need beyond twice what the honest file does.
const FLOOR: usize = 64 << 20;
/// A mutation takes milliseconds; on a machine that does much else, some hundred. A child that stays this long at one hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Children at the same time.
const CHILDREN: usize = 2;
/// Mutations that one child works at, so that what it leaves behind in memory stays small.
const BATCH: usize = 250;
/// So many failures of one kind are enough to see.
const ENOUGH: usize = 12;

/// Runs the mutations `0..count` of a kind whose honest files lie in `folder`.
fn run(kind: Kind, folder: &Path, count: usize) {
    let next = Mutex::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for child in 0..CHILDREN {
            let (next, failures) = (&next, &failures);
            scope.spawn(move || {
                let own = folder.join(format!("child_{child}"));
                fs::create_dir_all(&own).unwrap();
                loop {
                    let begin = {
                        let mut next = next.lock().unwrap();
                        let begin = *next;
                        *next = (begin + BATCH).min(count);
                        begin
                    };
                    if begin == count || failures.lock().unwrap().len() >= ENOUGH {
                        break;
                    }
                    batch(kind, folder, &own, begin, (begin + BATCH).min(count), failures);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {count} mutations:\n{}", failures.len(), failures.join("\n"));
}

/// Works at a range in as many children as it takes.
fn batch(kind: Kind, folder: &Path, own: &Path, begin: usize, end: usize, failures: &Mutex<Vec<String>>) {
    let mut at = begin;
    while at < end {
        let (progress, problems) = (own.join("case"), own.join("problems"));
        fs::write(&progress, at.to_string()).unwrap();
        fs::write(&problems, "").unwrap();
        let log = fs::File::create(own.join("log")).unwrap();
        let job = format!("{} {} {} {at} {end}", kind.name(), folder.display(), own.display());
        let limit = format!("ulimit -v {ADDRESS_SPACE}; ulimit -c 0; exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &limit])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
            .env("HB_HOSTILE", job)
            .env("RAYON_NUM_THREADS", "2")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let outcome = watch(&mut child, &progress);
        let case = || fs::read_to_string(&progress).unwrap().trim().parse::<usize>().unwrap();
        let told = fs::read_to_string(&problems).unwrap();
        failures.lock().unwrap().extend(told.lines().map(|line| format!("{}: {line}", kind.name())));
        let Err(reason) = outcome else { return };
        let log = fs::read_to_string(own.join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(3).collect();
        failures.lock().unwrap().push(format!("{} {}: {reason}: {}", kind.name(), case(), tail.join(" | ")));
        if failures.lock().unwrap().len() >= ENOUGH {
            return;
        }
        at = case() + 1;
    }
}

/// Waits for a child; what is wrong when it does not end well.
fn watch(child: &mut std::process::Child, progress: &Path) -> Result<(), String> {
    let (mut last, mut since) = (String::new(), Instant::now());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return if status.success() { Ok(()) } else { Err(format!("the process died ({status})")) };
        }
        let now = fs::read_to_string(progress).unwrap_or_default();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it takes longer than {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Not a test of its own: what the children run. See the module.
#[test]
fn worker() {
    let Ok(job) = std::env::var("HB_HOSTILE") else { return };
    let words: Vec<&str> = job.split(' ').collect();
    let [kind, folder, own, begin, end] = words.as_slice() else { panic!("HB_HOSTILE={job}") };
    let (folder, own) = (Path::new(folder), Path::new(own));
    let kind = Kind::named(kind);
    // One line to a panic, for the parent to quote.
    std::panic::set_hook(Box::new(|panic| eprintln!("{}", panic.to_string().replace('\n', " "))));
    let work = kinds::Work::new(kind, folder, own);
    // Once before it counts: what is set up on first use is nobody's need.
    work.honest();
    let honest = peak_of(|| work.honest()).1;
    let mut problems = String::new();
    for case in begin.parse().unwrap()..end.parse().unwrap() {
        fs::write(own.join("case"), format!("{case}")).unwrap();
        let (outcome, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| work.mutation(case))));
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
            problems += &format!("{case}: it panics: {}\n", text.replace('\n', " "));
        }
        if peak > 2 * honest + FLOOR {
            problems += &format!("{case}: it needs {} MiB, the honest file {} MiB\n", peak >> 20, honest >> 20);
        }
        fs::write(own.join("problems"), &problems).unwrap();
    }
}

/// What a function gives, and the bytes by which the process's resident memory grew at most while it ran.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    // Makes the kernel forget the peak so far. Where it cannot, only growth beyond the peak so far is seen.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    let result = work();
    (result, memory("VmHWM:").saturating_sub(before))
}

/// A line of `/proc/self/status`, in bytes.
fn memory(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap_or(0) * 1024
}

/// Runs so many mutations of a kind, or as many as the environment asks for: `make hostile MUTATIONS=20000`.
fn mutations(kind: Kind, usual: usize) {
    let asked = std::env::var("MUTATIONS").map(|text| text.parse().expect("MUTATIONS is a number"));
    let count = asked.unwrap_or(usual);
    let folder = tempfile::tempdir().unwrap();
    kinds::prepare(kind, folder.path());
    let path = folder.keep();
    run(kind, &path, count);
    // Left there only when something fails.
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn onnx_bytes() {
    mutations(Kind::OnnxBytes, 2000);
}

#[test]
fn onnx_graphs() {
    mutations(Kind::OnnxGraph, 1500);
}

#[test]
fn caffe_texts() {
    mutations(Kind::CaffeText, 2500);
}

#[test]
fn caffe_weights() {
    mutations(Kind::CaffeWeights, 1000);
}

#[test]
fn npy() {
    mutations(Kind::Npy, 1000);
}

#[test]
fn yaml() {
    mutations(Kind::Yaml, 1000);
}

#[test]
fn bytecode() {
    mutations(Kind::Bytecode, 1000);
}

#[test]
fn quant_info() {
    mutations(Kind::QuantInfo, 1000);
}

#[test]
fn quant_weights() {
    mutations(Kind::QuantWeights, 1000);
}

#[test]
fn hbm_bytes() {
    mutations(Kind::HbmBytes, 500);
}

/// With the checksums made right again, so that what is inside is at fault.
#[test]
fn hbm_contents() {
    mutations(Kind::HbmContents, 1500);
}

/// What is wrong with a file.
type Reader<'r> = &'r dyn Fn(&Path) -> Option<String>;

/// A pipe that nobody writes to, a device without an end, and a file that says it has eight tebibytes.
#[test]
fn what_is_no_file_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let sparse = folder.path().join("sparse");
    fs::File::create(&sparse).unwrap().set_len(8 << 40).unwrap();
    let readers: [(&str, Reader<'_>); 5] = [
        ("hbm", &|path| hb::hbm::Hbm::open(path).err().map(|error| error.to_string())),
        ("npy", &|path| hb::sim::npy::read(path).err().map(|error| error.to_string())),
        ("npy shape", &|path| hb::sim::npy::shape(path).err().map(|error| error.to_string())),
        ("npy rows", &|path| hb::sim::npy::read_rows(path, 0..1).err().map(|error| error.to_string())),
        ("quant info", &|path| hb::quant::info::QuantInfo::read(path).err()),
    ];
    for (name, read) in readers {
        for path in [&pipe, Path::new("/dev/zero")] {
            let message = read(path).unwrap_or_default();
            assert!(message.contains("it is not a regular file"), "{name}: {message}");
        }
        assert!(read(&sparse).is_some(), "{name}");
    }
}
