//! The command line of `hb_compile`: its options, and which mode they ask for.

use super::compile::Stage;
use super::configuration::{
    CORE_NUM, FastPerf, ParameterKind, Purpose, known_marches, march_of, parameter_help, shape_option,
};
use super::progress::Verbosity;
use super::run;
use crate::files::print;
use crate::frontend::ModelFiles;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Done.
pub const DONE: u8 = 0;
/// The input or the configuration is at fault, or the model cannot be compiled.
pub const AT_FAULT: u8 = 1;
/// The command was used wrongly.
pub const WRONG_USAGE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  Compile as a configuration file says (docs/configuration.md lists its parameters):
      hb_compile --config mobilenet.yaml

  Estimate how fast a model will be, without calibration data:
      hb_compile --fast-perf --model mobilenet.onnx --march nash-e

  The same, for a model with dimensions that are open:
      hb_compile --fast-perf -m detector.onnx --march nash-m -i image 1x3x224x224 -i scale 1x2

  Check a model: where each node will run and why, all that stands in the way, the predicted latency:
      hb_compile --model detector.onnx --march nash-e --json

  Compile anew from the quantized model that an earlier run stored, without calibrating again:
      hb_compile -c mobilenet.yaml -m model_output/mobilenet_quantized_model.bc

  Only quantize, to look at the quantized ONNX model in the working directory:
      hb_compile -c mobilenet.yaml --skip convert

  Explain a parameter of the configuration file, or all of them:
      hb_compile --help-config input_type_rt
      hb_compile --help-config

  See which passes run:
      hb_compile -c mobilenet.yaml --print-pipeline

The log goes to hb_compile.log, here and in the working directory; there alone where this folder may not be written to.
Exit status: 0 done; 1 model or configuration at fault; 2 wrong usage.";

/// Compiles a trained network into a .hbm file for the BPU.
#[derive(Debug, Parser)]
#[command(name = "hb_compile", version, after_help = EXAMPLES)]
pub struct CommandLine {
    /// The configuration file (YAML) that says what to compile and how
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Compile --model for speed with built-in settings; its results mean nothing, its latency does
    #[arg(long)]
    fast_perf: bool,

    /// The model (ONNX, or the weights of a Caffe network) of --fast-perf, or of the check where neither --config nor --fast-perf is given; with --config, the
    /// {prefix}_quantized_model.bc to compile anew
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// With --model: the prototxt of a Caffe model, whose .caffemodel --model is
    #[arg(long, value_name = "FILE")]
    pub(super) proto: Option<PathBuf>,

    /// With --model: the target, nash-e for J6E and nash-m for J6M
    #[arg(long, value_name = "MARCH", value_parser = march_of)]
    march: Option<String>,

    /// With --model: the shape of an input, such as `-i image 1x3x224x224`; once per input, needed for open dimensions
    #[arg(short, long, num_args = 2, value_names = ["NAME", "SHAPE"], action = clap::ArgAction::Append)]
    pub(super) input_shape: Vec<String>,

    /// With --model: the number of cores that run the model
    #[arg(long, value_name = "N")]
    core_num: Option<i64>,

    /// End before this step; what is there by then is in the working directory
    #[arg(long, value_name = "STEP")]
    skip: Option<Skip>,

    /// End after this stage; its files are in the working directory
    #[arg(long, value_name = "STAGE")]
    stop_after: Option<Stage>,

    /// Print the hb-translate and hb-opt commands that make the same .hbm from the files that a compilation left, and compile nothing
    #[arg(long)]
    pub(super) print_pipeline: bool,

    /// End with status 1 where the outputs have a smaller mean cosine than this with the float network's, on calibration samples that had no part
    /// in rounding the weights; the worst slice counts. The results are there all the same
    #[arg(long, value_name = "COSINE", value_parser = cosine)]
    pub(super) min_cosine: Option<f64>,

    /// Print what came of it as JSON on standard output: files, latency, nodes and where they run, or what went wrong
    #[arg(long)]
    pub(super) json: bool,

    /// Explain the parameters of configuration files, or the one named, and compile nothing
    #[arg(long, value_name = "PARAMETER", num_args = 0..=1, default_missing_value = "")]
    help_config: Option<String>,

    /// Show warnings and errors only
    #[arg(short, long)]
    quiet: bool,

    /// Show everything that the log file holds
    #[arg(short, long)]
    verbose: bool,
}

/// The steps of the vendor's tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Skip {
    /// Keep the ONNX models of every stage up to the quantized one
    Export,
    /// As export: the quantized ONNX model is what is converted
    Convert,
    /// Keep the quantized model as bytecode, too
    Compile,
}

impl Skip {
    /// The last stage before it.
    fn last_stage(self) -> Stage {
        match self {
            Self::Export | Self::Convert => Stage::Quantize,
            Self::Compile => Stage::Place,
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Compile as a file says.
    Config(PathBuf),
    /// Compile a stored quantized model as a file says.
    Recompile { config: PathBuf, model: PathBuf },
    /// Compile with built-in settings.
    BuiltIn(FastPerf),
}

/// An option that is given, by the name that users know.
type Given = (&'static str, bool);

impl CommandLine {
    fn wrong(messages: &[String]) -> clap::Error {
        Self::command().error(ErrorKind::ArgumentConflict, messages.join("\n"))
    }

    /// Every two options that contradict each other.
    fn clashes(&self) -> Vec<String> {
        let config = ("--config", self.config.is_some());
        let fast_perf = ("--fast-perf", self.fast_perf);
        let model = ("--model", self.model.is_some());
        let march = ("--march", self.march.is_some());
        let proto = ("--proto", self.proto.is_some());
        let core_num = ("--core-num", self.core_num.is_some());
        let skip = ("--skip", self.skip.is_some());
        let stop_after = ("--stop-after", self.stop_after.is_some());
        let print_pipeline = ("--print-pipeline", self.print_pipeline);
        // Without --config and --fast-perf a model is checked.
        let check = ("the check of a --model", self.model.is_some() && self.config.is_none() && !self.fast_perf);
        let min_cosine = ("--min-cosine", self.min_cosine.is_some());
        let pairs: [(Given, Given, &str); 17] = [
            (fast_perf, config, "--fast-perf has a built-in configuration; leave out one of them"),
            (march, config, "the configuration says march"),
            (proto, config, "the configuration says prototxt"),
            (core_num, config, "the configuration says core_num"),
            (skip, stop_after, "both say where to end"),
            (skip, check, "the check goes all the way; leave out the former"),
            (stop_after, check, "the check goes all the way; leave out the former"),
            (skip, print_pipeline, "nothing is compiled when the pipeline is printed"),
            (stop_after, print_pipeline, "nothing is compiled when the pipeline is printed"),
            (print_pipeline, ("--json", self.json), "both write to standard output"),
            (print_pipeline, check, "the check has no pipeline of its own; give --fast-perf or --config"),
            (print_pipeline, ("--config with --model", config.1 && model.1), "the pipeline begins with the ONNX model"),
            (min_cosine, fast_perf, "its samples are random numbers"),
            (min_cosine, check, "its samples are random numbers"),
            (min_cosine, print_pipeline, "nothing is compiled when the pipeline is printed"),
            (
                min_cosine,
                ("--config with --model", config.1 && model.1),
                "a stored model is not judged again; hb_verifier compares models",
            ),
            (("--quiet", self.quiet), ("--verbose", self.verbose), "they contradict each other"),
        ];
        let given = pairs.iter().filter(|(first, second, _)| first.1 && second.1);
        given.map(|(first, second, why)| format!("{} cannot be used with {}: {why}", first.0, second.0)).collect()
    }

    /// The mode that the options ask for, or everything by which they contradict each other.
    pub(super) fn mode(&self) -> Result<Mode, clap::Error> {
        let clashes = self.clashes();
        if !clashes.is_empty() {
            return Err(Self::wrong(&clashes));
        }
        match (&self.config, &self.model) {
            (Some(config), None) => Ok(Mode::Config(config.clone())),
            (Some(config), Some(model)) if is_mlir(model) => {
                Ok(Mode::Recompile { config: config.clone(), model: model.clone() })
            }
            (Some(_), Some(model)) => Err(Self::wrong(&[format!(
                "--model with --config compiles a stored model (.bc, .mlir) anew, which '{}' is not; leave out --model, the \
                 configuration names the network",
                model.display()
            )])),
            (None, Some(model)) => self.built_in(model),
            (None, None) if self.fast_perf => Err(Self::wrong(&["--fast-perf needs --model FILE".into()])),
            (None, None) => {
                Err(Self::wrong(&["give --config FILE to compile, --fast-perf --model FILE --march MARCH to \
                 estimate, or --model FILE --march MARCH to check"
                    .into()]))
            }
        }
    }

    fn built_in(&self, model: &Path) -> Result<Mode, clap::Error> {
        let mut faults = Vec::new();
        let purpose = if self.fast_perf { Purpose::Speed } else { Purpose::Check };
        if self.march.is_none() {
            let what = if self.fast_perf { "--fast-perf" } else { "the check of a --model" };
            faults.push(format!("{what} needs --march, one of {}", known_marches().join(", ")));
        }
        let mut shapes: Vec<(String, String)> = Vec::new();
        for pair in self.input_shape.chunks(2) {
            let [name, shape] = pair else { continue };
            if let Err(fault) = shape_option(shape) {
                faults.push(format!("--input-shape {name}: {fault}"));
            }
            shapes.push((name.clone(), shape.clone()));
        }
        if let (Some(cores), ParameterKind::Integer { least, most }) = (self.core_num, CORE_NUM.kind)
            && !(least..=most).contains(&cores)
        {
            let marches = known_marches().join(" and ");
            faults.push(format!("--core-num {cores}: {marches} run a model on {most} core; leave it out"));
        }
        if !faults.is_empty() {
            return Err(Self::wrong(&faults));
        }
        let march = self.march.clone().unwrap_or_default();
        let files = ModelFiles { model: model.to_owned(), proto: self.proto.clone() };
        Ok(Mode::BuiltIn(FastPerf { purpose, files, march, shapes, core_num: self.core_num }))
    }

    /// The last stage that is asked for; none for all.
    pub(super) fn last_stage(&self) -> Option<Stage> {
        self.stop_after.or(self.skip.map(Skip::last_stage))
    }

    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

fn cosine(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a cosine is a number from 0 to 1, such as 0.99".to_owned())
}

fn is_mlir(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("bc") || extension.eq_ignore_ascii_case("mlir"))
}

/// Runs `hb_compile` with the arguments of a process (the first is the program), and gives its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let parsed = CommandLine::try_parse_from(arguments).and_then(|line| match line.help_config.is_some() {
        true => Ok((line, None)),
        false => line.mode().map(|mode| (line, Some(mode))),
    });
    match parsed {
        Ok((command_line, Some(mode))) => run::run(&command_line, &mode),
        Ok((line, None)) => explain(&line.help_config.unwrap_or_default()),
        Err(error) => {
            // Help and version come as errors too, and belong on standard output. Nothing can be done if nobody reads.
            let _ = error.print();
            if error.use_stderr() { WRONG_USAGE } else { DONE }
        }
    }
}

/// `--help-config`
fn explain(parameter: &str) -> u8 {
    match parameter_help(parameter) {
        Ok(text) => match print(format!("{text}\n")) {
            Ok(()) => DONE,
            Err(error) => {
                eprintln!("error: {error}");
                AT_FAULT
            }
        },
        Err(error) => {
            eprintln!("error: --help-config: {error}");
            WRONG_USAGE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(std::iter::once("hb_compile").chain(arguments.iter().copied()))
    }

    fn mode(arguments: &[&str]) -> Result<Mode, String> {
        line(arguments).and_then(|line| line.mode()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(arguments: &[&str], fragment: &str) {
        let message = mode(arguments).expect_err("wrong usage");
        assert!(message.contains(fragment), "{message} holds {fragment}");
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_modes_of_the_manual() {
        assert_eq!(mode(&["--config", "a.yaml"]), Ok(Mode::Config("a.yaml".into())));
        assert_eq!(mode(&["-c", "a.yaml", "--stop-after", "quantize", "-q"]), Ok(Mode::Config("a.yaml".into())));
        let recompile = Mode::Recompile { config: "a.yaml".into(), model: "m.bc".into() };
        assert_eq!(mode(&["-c", "a.yaml", "-m", "m.bc", "--json"]), Ok(recompile));
        let options = |purpose, core_num| FastPerf {
            purpose,
            files: ModelFiles { model: "m.onnx".into(), proto: None },
            march: "nash-e".into(),
            shapes: vec![("input_1".into(), "1x3x224x224".into()), ("input_2".into(), "1x8".into())],
            core_num,
        };
        let arguments = "--fast-perf --model m.onnx --march nash-e --input-shape input_1 1x3x224x224 -i input_2 1x8";
        let arguments: Vec<&str> = arguments.split(' ').collect();
        assert_eq!(mode(&arguments), Ok(Mode::BuiltIn(options(Purpose::Speed, None))));
        let check = [&arguments[1..], &["--core-num", "1"]].concat();
        assert_eq!(mode(&check), Ok(Mode::BuiltIn(options(Purpose::Check, Some(1)))));
    }

    #[test]
    fn where_it_ends() {
        let last =
            |arguments: &[&str]| line(&[&["-c", "a.yaml"], arguments].concat()).expect("right usage").last_stage();
        assert_eq!(last(&[]), None);
        assert_eq!(last(&["--skip", "export"]), Some(Stage::Quantize));
        assert_eq!(last(&["--skip", "convert"]), Some(Stage::Quantize));
        assert_eq!(last(&["--skip", "compile"]), Some(Stage::Place));
        assert_eq!(last(&["--stop-after", "place"]), Some(Stage::Place));
    }

    #[test]
    fn wrong_usage() {
        refused(&[], "give --config FILE");
        refused(&["-m", "m.onnx"], "the check of a --model needs --march, one of nash-e");
        refused(&["--fast-perf", "-m", "m.onnx"], "--fast-perf needs --march, one of nash-e");
        refused(&["--fast-perf", "--march", "nash-e"], "needs --model");
        refused(&["-c", "a.yaml", "-m", "b.onnx"], "'b.onnx' is not; leave out --model");
        refused(&["--fast-perf", "-m", "m", "--march", "nash-x"], "nash-x");
        refused(&["-m", "m", "--march", "nash-e", "-i", "a", "1x?"], "'1x?' is not a shape");
        refused(&["--fast-perf", "-m", "m", "--march", "nash-e", "-i", "a"], "2 values");
        refused(
            &["-m", "m", "--march", "nash-e", "--core-num", "4"],
            "--core-num 4: nash-e and nash-m run a model on 1 core",
        );
        refused(&["-c", "a.yaml", "--skip", "link"], "export, convert, compile");
        refused(
            &["-c", "a.yaml", "--stop-after", "nowhere"],
            "import, optimize, calibrate, quantize, place, lower, compile",
        );
    }

    #[test]
    fn clashes_are_named_in_pairs_and_all_at_once() {
        let pairs: [(&[&str], &str); 9] = [
            (&["--fast-perf", "-c", "a.yaml"], "--fast-perf cannot be used with --config"),
            (&["-c", "a.yaml", "--march", "nash-e"], "--march cannot be used with --config"),
            (&["-c", "a.yaml", "--proto", "b"], "--proto cannot be used with --config"),
            (&["-c", "a.yaml", "--core-num", "1"], "--core-num cannot be used with --config"),
            (&["-c", "a.yaml", "-q", "-v"], "--quiet cannot be used with --verbose"),
            (
                &["-c", "a.yaml", "--skip", "compile", "--stop-after", "place"],
                "--skip cannot be used with --stop-after",
            ),
            (&["-m", "a.onnx", "--march", "nash-e", "--skip", "compile"], "--skip cannot be used with the check"),
            (&["-c", "a.yaml", "--print-pipeline", "--json"], "--print-pipeline cannot be used with --json"),
            (
                &["-c", "a.yaml", "-m", "b.bc", "--print-pipeline"],
                "--print-pipeline cannot be used with --config with --model",
            ),
        ];
        for (arguments, message) in pairs {
            refused(arguments, message);
        }
        let all = mode(&["--fast-perf", "-c", "a.yaml", "--core-num", "1", "-q", "-v"]).expect_err("wrong usage");
        assert_eq!(all.matches("cannot be used with").count(), 3, "{all}");
    }
}
