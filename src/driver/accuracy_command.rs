//! `accuracy_command`: a program of the user's judges outputs by one number.

use crate::cpu::{Array, FloatExecutable};
use crate::files::{TemporaryFolder, file_names};
use crate::quant::calibrate::CalibrationError;
use crate::sim::npy;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the program on outputs, sample by sample, and gives the number that it prints last. The larger, the better.
///
/// It is given a folder inside `parent` as its last argument: `{output}/{index}.npy` for each sample, and `samples.txt`, which names the
/// sample of each index in a line of its own: the files that it was read from, separated by tabs.
///
/// # Errors
/// When the program cannot be run, fails, or prints no number that is finite.
pub(super) fn judge(
    (command, parent): (&str, &Path),
    executable: &FloatExecutable,
    outputs: &[Vec<Array>],
    samples: &[String],
) -> Result<f64, CalibrationError> {
    let failed = |reason: String| CalibrationError::Threshold(format!("accuracy_command '{command}': {reason}"));
    let text = |error: std::io::Error| failed(error.to_string());
    // There the next run removes it if this one is killed.
    let folder = TemporaryFolder::within(parent).map_err(text)?;
    let names = file_names(executable.outputs().map(|(name, ..)| name));
    for (position, name) in names.iter().enumerate() {
        let own = folder.path().join(name);
        std::fs::create_dir_all(&own).map_err(text)?;
        for (index, arrays) in outputs.iter().enumerate() {
            let Some(array) = arrays.get(position) else { continue };
            let bytes = npy::encode(array).map_err(|error| failed(error.to_string()))?;
            std::fs::write(own.join(format!("{index:06}.npy")), bytes).map_err(text)?;
        }
    }
    std::fs::write(folder.path().join("samples.txt"), samples.join("\n") + "\n").map_err(text)?;
    run(command, folder.path()).map_err(failed)
}

fn run(command: &str, folder: &Path) -> Result<f64, String> {
    // The shell splits the words of the command; the folder is one more.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{command} \"$0\"")).arg(folder).stdin(Stdio::null()).stderr(Stdio::piped());
    let done = shell.output().map_err(|error| format!("it cannot be run: {error}"))?;
    let last =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().lines().last().unwrap_or_default().trim().to_owned();
    if !done.status.success() {
        return Err(format!("it ended with {}: {}", done.status, last(&done.stderr)));
    }
    let printed = last(&done.stdout);
    let number = printed.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("its last line must be one number, but is '{printed}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_number() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("samples.txt"), "a\nb\n").unwrap();
        let run = |command: &str| run(command, folder.path());
        assert_eq!(run("echo reading; echo 0.5 #"), Ok(0.5));
        assert_eq!(run("f() { wc -l < \"$1/samples.txt\"; }; f"), Ok(2.0));
        for (command, reason) in [
            ("echo nothing #", "must be one number, but is 'nothing'"),
            ("echo nan #", "must be one number, but is 'nan'"),
            ("true #", "must be one number, but is ''"),
            ("echo no such file >&2; exit 3 #", "exit status: 3: no such file"),
            ("/no/such/program", "ended with"),
        ] {
            let error = run(command).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
