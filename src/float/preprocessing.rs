//! Preprocessing: what stands between the data that a deployed model is given and the float input of the network.
//!
//! [`Preprocessing`] is written to and read from attributes of a function's argument; `hfloat-insert-preprocessing` turns it into
//! operations.

use hb_dialects::names::input_names;
use hb_dialects::{
    ir::{self, OperationAttributes, attribute},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::OperationRef;
use std::fmt;

const TYPE_RT: &str = "hfloat.input_type_rt";
const TYPE_TRAIN: &str = "hfloat.input_type_train";
const LAYOUT_TRAIN: &str = "hfloat.input_layout_train";
const MEAN: &str = "hfloat.mean_value";
const SCALE: &str = "hfloat.scale_value";
/// The attributes of an argument that ask for preprocessing, named as the manual names the parameters.
pub(super) const ATTRIBUTES: [&str; 5] = [TYPE_RT, TYPE_TRAIN, LAYOUT_TRAIN, MEAN, SCALE];

/// The kind of data of an input (`input_type_train`, `input_type_rt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    /// float32 of any shape.
    Featuremap,
    /// 8-bit images, red first.
    Rgb,
    /// 8-bit images, blue first.
    Bgr,
}

impl InputType {
    /// The value that the configuration's word means.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "featuremap" => Some(Self::Featuremap),
            "rgb" => Some(Self::Rgb),
            "bgr" => Some(Self::Bgr),
            _ => None,
        }
    }

    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Featuremap => "featuremap",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        }
    }

    /// The channels that an image of this type has; none for a feature map, whose channels are the network's affair.
    pub fn channels(self) -> Option<u64> {
        match self {
            Self::Featuremap => None,
            Self::Rgb | Self::Bgr => Some(3),
        }
    }
}

impl fmt::Display for InputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The order of an input's dimensions (`input_layout_train`). Says something only of inputs of rank 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Batch, channels, rows, columns.
    Nchw,
    /// Batch, rows, columns, channels.
    Nhwc,
}

impl Layout {
    /// The value that the configuration's word means.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "NCHW" => Some(Self::Nchw),
            "NHWC" => Some(Self::Nhwc),
            _ => None,
        }
    }

    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }

    /// The number of the dimension that counts channels, in a shape of rank 4.
    pub fn channel_dimension(self) -> usize {
        match self {
            Self::Nchw => 1,
            Self::Nhwc => 3,
        }
    }
}

/// How an input of the deployed model becomes the input of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// What the deployed model is given.
    pub type_rt: InputType,
    /// What the network was trained with. Means and scales are in the order of its channels.
    pub type_train: InputType,
    /// The layout of the network's input. Deployed images are NHWC, feature maps have the layout of the network's input.
    pub layout: Layout,
    /// Subtracted first: nothing, one number, or one per channel.
    pub mean: Vec<f64>,
    /// Multiplied then: nothing, one number, or one per channel.
    pub scale: Vec<f64>,
}

impl Preprocessing {
    /// Whether the deployed input differs from the network's.
    pub fn changes_input(&self) -> bool {
        self.type_rt != InputType::Featuremap || !self.mean.is_empty() || !self.scale.is_empty()
    }

    /// The layout of the deployed input.
    pub(super) fn deployed_layout(&self) -> Layout {
        if self.type_rt == InputType::Featuremap { self.layout } else { Layout::Nhwc }
    }
}

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "hfloat-assign-preprocessing";

/// `hfloat-assign-preprocessing`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Say how an input of the deployed model becomes that of the network",
    description: "The assign step of preprocessing: writes its options as attributes of the argument whose name is `input`, for \
`hfloat-insert-preprocessing` to read. Run it once for each input. The options are the parameters of the same names of \
`docs/configuration.md`.",
    anchor: "func.func",
    options: &[
        OptionDefinition {
            name: "input",
            default: "",
            description: "name of the input; may be left out where there is one",
        },
        OptionDefinition {
            name: "input-type-rt",
            default: "featuremap",
            description: "data of the deployed input: featuremap, rgb or bgr",
        },
        OptionDefinition {
            name: "input-type-train",
            default: "featuremap",
            description: "data that the network was trained with: featuremap, rgb or bgr",
        },
        OptionDefinition {
            name: "input-layout-train",
            default: "NCHW",
            description: "layout of the network's input: NCHW or NHWC",
        },
        OptionDefinition {
            name: "mean-value",
            default: "",
            description: "numbers to subtract, one or one per channel, separated by commas",
        },
        OptionDefinition {
            name: "scale-value",
            default: "",
            description: "numbers to multiply with then, one or one per channel, separated by commas",
        },
    ],
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let names = input_names(function);
    let wanted = options.bytes("input");
    let index = match names.as_slice() {
        [_] if wanted.is_empty() => Some(0),
        names => names.iter().position(|name| name.as_bytes() == wanted),
    };
    let index = index.ok_or_else(|| {
        let wanted = String::from_utf8_lossy(&wanted);
        PassFailure::Message(format!("there is no input '{wanted}'; the inputs are '{}'", names.join("', '")))
    })?;
    let unknown = |name: &str, expected: &str| {
        PassFailure::Message(format!("{name}: '{}' is none of {expected}", options.get(name)))
    };
    let input_type =
        |name: &str| InputType::named(options.get(name)).ok_or_else(|| unknown(name, "featuremap, rgb, bgr"));
    let preprocessing = Preprocessing {
        type_rt: input_type("input-type-rt")?,
        type_train: input_type("input-type-train")?,
        layout: Layout::named(options.get("input-layout-train"))
            .ok_or_else(|| unknown("input-layout-train", "NCHW, NHWC"))?,
        mean: numbers(options, "mean-value")?,
        scale: numbers(options, "scale-value")?,
    };
    assign_preprocessing(function, index, &preprocessing);
    Ok(())
}

/// Numbers of an option. Commas separate passes for MLIR, so these are separated by commas.
fn numbers(options: &PassOptions, name: &str) -> Result<Vec<f64>, PassFailure> {
    let words = options.get(name).split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| PassFailure::Message(format!("{name}: '{word}' is no number")))).collect()
}

/// Writes the preprocessing of a function's argument as its attributes.
pub fn assign_preprocessing(function: OperationRef<'_, '_>, index: usize, preprocessing: &Preprocessing) {
    let context = function.context_reference();
    let words = [
        (TYPE_RT, preprocessing.type_rt.name()),
        (TYPE_TRAIN, preprocessing.type_train.name()),
        (LAYOUT_TRAIN, preprocessing.layout.name()),
    ];
    for (name, word) in words {
        ir::set_argument_attribute(function, index, name, attribute::string(context, word));
    }
    for (name, numbers) in [(MEAN, &preprocessing.mean), (SCALE, &preprocessing.scale)] {
        if !numbers.is_empty() {
            ir::set_argument_attribute(function, index, name, attribute::floats(context, numbers));
        }
    }
}

/// The preprocessing that was assigned to a function's argument, if any.
///
/// # Errors
/// When an attribute has no value that it can have.
pub fn assigned_preprocessing(function: OperationRef<'_, '_>, index: usize) -> Result<Option<Preprocessing>, String> {
    let string = |name: &str| -> Result<Option<String>, String> {
        let Some(value) = ir::argument_attribute(function, index, name) else { return Ok(None) };
        attribute::text(value).map(Some).ok_or_else(|| format!("{name} is no string"))
    };
    let Some(type_rt) = string(TYPE_RT)? else { return Ok(None) };
    let word = |name: &str| string(name)?.ok_or_else(|| format!("{TYPE_RT} is given without {name}"));
    let input_type = |name: &str, word: &str| {
        InputType::named(word).ok_or_else(|| format!("{name}: '{word}' is none of featuremap, rgb, bgr"))
    };
    let floats = |name: &str| match ir::argument_attribute(function, index, name) {
        None => Ok(Vec::new()),
        Some(value) => attribute::float_elements(value).ok_or_else(|| format!("{name} is no array of f64")),
    };
    let layout = word(LAYOUT_TRAIN)?;
    Ok(Some(Preprocessing {
        type_rt: input_type(TYPE_RT, &type_rt)?,
        type_train: input_type(TYPE_TRAIN, &word(TYPE_TRAIN)?)?,
        layout: Layout::named(&layout).ok_or_else(|| format!("{LAYOUT_TRAIN}: '{layout}' is none of NCHW, NHWC"))?,
        mean: floats(MEAN)?,
        scale: floats(SCALE)?,
    }))
}
