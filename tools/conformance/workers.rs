//! Child processes that run cases. One that dies or hangs is replaced, and its case has failed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::Result;
use super::case::{Case, Outcome};

/// The argument of a child.
pub const WORKER: &str = "--worker";
/// A case that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The child: reads the path of a model from each line and answers with a line.
pub fn serve() -> Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    for line in std::io::stdin().lock().lines() {
        println!("{}", Case::new(Path::new(&line?)).run());
    }
    Ok(())
}

/// The outcome of every case, by name.
pub fn run(cases: &[Case]) -> Result<Vec<(String, Outcome)>> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let work = || -> std::io::Result<Vec<(String, Outcome)>> {
            let mut outcomes = Vec::new();
            let mut worker = None;
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                outcomes.push((case.name(), ask(&mut worker, case)?));
            }
            Ok(outcomes)
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut outcomes = Vec::new();
        for thread in threads {
            outcomes.extend(thread.join().map_err(|_| "a thread of the runner failed")??);
        }
        Ok(outcomes)
    })
}

/// Runs a case in the worker, or in a new one where there is none.
fn ask(worker: &mut Option<Worker>, case: &Case) -> std::io::Result<Outcome> {
    let mut at_hand = match worker.take() {
        Some(worker) => worker,
        None => Worker::start()?,
    };
    let answer = at_hand.answer(case.model());
    match answer {
        Ok(line) => {
            *worker = Some(at_hand);
            Ok(Outcome::parse(&line).unwrap_or_else(|| Outcome::Failed(format!("its process wrote {line:?}"))))
        }
        Err(reason) => {
            let status = at_hand.end()?;
            Ok(Outcome::Failed(format!("{reason} ({status})")))
        }
    }
}

struct Worker {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<std::io::Result<String>>,
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipe = || std::io::Error::other("a child without pipes");
        let (questions, answers) = (child.stdin.take().ok_or_else(pipe)?, child.stdout.take().ok_or_else(pipe)?);
        let (send, receive) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(answers).lines() {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, questions, answers: receive })
    }

    fn answer(&mut self, model: &Path) -> std::result::Result<String, String> {
        writeln!(self.questions, "{}", model.display()).map_err(|error| error.to_string())?;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => line.map_err(|error| error.to_string()),
            Err(RecvTimeoutError::Timeout) => Err(format!("no result within {PATIENCE:?}")),
            Err(RecvTimeoutError::Disconnected) => Err("it took its process down".to_owned()),
        }
    }

    fn end(mut self) -> std::io::Result<std::process::ExitStatus> {
        // It may be gone already.
        let _ = self.child.kill();
        self.child.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
