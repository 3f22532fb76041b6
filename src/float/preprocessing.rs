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
const SPACE_AND_RANGE: &str = "hfloat.input_space_and_range";
const LAYOUT_TRAIN: &str = "hfloat.input_layout_train";
const SOURCE: &str = "hfloat.input_source";
const MEAN: &str = "hfloat.mean_value";
const SCALE: &str = "hfloat.scale_value";
/// The attributes of an argument that ask for preprocessing, named as the manual names the parameters.
pub(super) const ATTRIBUTES: [&str; 7] = [TYPE_RT, TYPE_TRAIN, LAYOUT_TRAIN, SPACE_AND_RANGE, SOURCE, MEAN, SCALE];
/// What [`SOURCE`] is where a region is resized.
const RESIZER: &str = "resizer";

/// The kind of data of an input (`input_type_train`, `input_type_rt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    /// float32 of any shape.
    Featuremap,
    /// 8-bit images, red first.
    Rgb,
    /// 8-bit images, blue first.
    Bgr,
    /// 8-bit images of luma and two chroma channels.
    Yuv444,
    /// As [`InputType::Yuv444`], minus 128: int8.
    Yuv444_128,
    /// As [`InputType::Yuv444`] in two planes: luma, and pairs of chroma for each 2x2 pixels.
    Nv12,
    /// 8-bit images of luma alone.
    Gray,
}

impl InputType {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Featuremap, Self::Rgb, Self::Bgr, Self::Yuv444, Self::Yuv444_128, Self::Nv12, Self::Gray];

    /// The value that the configuration's word means.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == word)
    }

    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Featuremap => "featuremap",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
            Self::Yuv444 => "yuv444",
            Self::Yuv444_128 => "yuv444_128",
            Self::Nv12 => "nv12",
            Self::Gray => "gray",
        }
    }

    /// The words of the configuration, for messages.
    fn words() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The channels that an image of this type has; none for a feature map, whose channels are the network's affair.
    pub fn channels(self) -> Option<u64> {
        match self {
            Self::Featuremap => None,
            Self::Rgb | Self::Bgr | Self::Yuv444 | Self::Yuv444_128 | Self::Nv12 => Some(3),
            Self::Gray => Some(1),
        }
    }

    /// Whether networks that were trained with `train` can be given this (manual, "input_type_rt/input_type_train additional
    /// description"; its table leaves out yuv444_128, which later releases of the vendor's tool take in place of yuv444).
    pub fn becomes(self, train: Self) -> bool {
        match train {
            Self::Featuremap | Self::Gray | Self::Yuv444_128 => self == train,
            Self::Yuv444 => matches!(self, Self::Yuv444 | Self::Yuv444_128 | Self::Nv12),
            Self::Rgb | Self::Bgr => {
                matches!(self, Self::Rgb | Self::Bgr | Self::Yuv444 | Self::Yuv444_128 | Self::Nv12)
            }
            // No network is trained with planes.
            Self::Nv12 => false,
        }
    }
}

impl fmt::Display for InputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which values luma and chroma have (`input_space_and_range`): BT.601 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpaceAndRange {
    /// 0 to 255.
    #[default]
    Regular,
    /// Luma 16 to 235, chroma 16 to 240.
    Bt601Video,
}

impl SpaceAndRange {
    /// The value that the configuration's word means.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Regular, Self::Bt601Video].into_iter().find(|value| value.name() == word)
    }

    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Bt601Video => "bt601_video",
        }
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

    /// The numbers of the dimensions that count rows and columns, in a shape of rank 4.
    pub fn image_dimensions(self) -> (usize, usize) {
        match self {
            Self::Nchw => (2, 3),
            Self::Nhwc => (1, 2),
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
    /// What the luma and chroma of nv12 mean.
    pub space_and_range: SpaceAndRange,
    /// Whether the deployed model is given a picture of any size and a region of it, which becomes the image (`input_source`).
    pub resized: bool,
    /// The layout of the network's input. Deployed images are NHWC, feature maps have the layout of the network's input.
    pub layout: Layout,
    /// Subtracted first: nothing, one number, or one per channel.
    pub mean: Vec<f64>,
    /// Multiplied then: nothing, one number, or one per channel.
    pub scale: Vec<f64>,
}

impl Preprocessing {
    /// Whether the deployed input is an image of a camera, or the network's should be.
    pub(super) fn is_image(&self) -> bool {
        [self.type_rt, self.type_train].iter().any(|r#type| *r#type != InputType::Featuremap)
    }

    /// Whether a region of what is deployed can be resized, where that is asked for.
    ///
    /// # Errors
    /// For other data than the camera's resizer gives (manual, "input_source").
    pub(super) fn check_source(&self) -> Result<(), String> {
        match self.type_rt {
            InputType::Nv12 | InputType::Gray => Ok(()),
            _ if !self.resized => Ok(()),
            other => Err(format!("the {RESIZER} gives nv12 and gray, not {other}")),
        }
    }

    /// Whether the deployed input differs from the network's.
    pub fn changes_input(&self) -> bool {
        self.resized || self.is_image() || !self.mean.is_empty() || !self.scale.is_empty()
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
            description: "data of the deployed input: featuremap, rgb, bgr, yuv444, yuv444_128, nv12 or gray",
        },
        OptionDefinition {
            name: "input-type-train",
            default: "featuremap",
            description: "data that the network was trained with: featuremap, rgb, bgr, yuv444, yuv444_128 or gray",
        },
        OptionDefinition {
            name: "input-space-and-range",
            default: "regular",
            description: "values of luma and chroma of nv12: regular or bt601_video",
        },
        OptionDefinition {
            name: "input-source",
            default: "",
            description: "resizer where a region of a picture is resized to the input; ddr and pyramid change nothing",
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
    let input_type = |name: &str| InputType::named(options.get(name)).ok_or_else(|| unknown(name, &InputType::words()));
    let space = "input-space-and-range";
    let preprocessing = Preprocessing {
        type_rt: input_type("input-type-rt")?,
        type_train: input_type("input-type-train")?,
        space_and_range: SpaceAndRange::named(options.get(space))
            .ok_or_else(|| unknown(space, "regular, bt601_video"))?,
        resized: match options.get("input-source") {
            "" | "ddr" | "pyramid" => false,
            RESIZER => true,
            _ => return Err(unknown("input-source", "ddr, pyramid, resizer")),
        },
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
        (SPACE_AND_RANGE, preprocessing.space_and_range.name()),
    ];
    for (name, word) in words {
        ir::set_argument_attribute(function, index, name, attribute::string(context, word));
    }
    if preprocessing.resized {
        ir::set_argument_attribute(function, index, SOURCE, attribute::string(context, RESIZER));
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
        InputType::named(word).ok_or_else(|| format!("{name}: '{word}' is none of {}", InputType::words()))
    };
    let floats = |name: &str| match ir::argument_attribute(function, index, name) {
        None => Ok(Vec::new()),
        Some(value) => attribute::float_elements(value).ok_or_else(|| format!("{name} is no array of f64")),
    };
    let layout = word(LAYOUT_TRAIN)?;
    let space = string(SPACE_AND_RANGE)?.unwrap_or_else(|| SpaceAndRange::default().name().to_owned());
    Ok(Some(Preprocessing {
        type_rt: input_type(TYPE_RT, &type_rt)?,
        type_train: input_type(TYPE_TRAIN, &word(TYPE_TRAIN)?)?,
        space_and_range: SpaceAndRange::named(&space)
            .ok_or_else(|| format!("{SPACE_AND_RANGE}: '{space}' is none of regular, bt601_video"))?,
        resized: match string(SOURCE)?.as_deref() {
            None => false,
            Some(RESIZER) => true,
            Some(source) => return Err(format!("{SOURCE}: '{source}' is not {RESIZER}")),
        },
        layout: Layout::named(&layout).ok_or_else(|| format!("{LAYOUT_TRAIN}: '{layout}' is none of NCHW, NHWC"))?,
        mean: floats(MEAN)?,
        scale: floats(SCALE)?,
    }))
}

/// One number for each channel, `none` where none are given; each is finite as f32.
///
/// # Errors
/// When there are as many numbers as neither one nor all channels, or one is too large.
pub(super) fn per_channel(what: &str, numbers: &[f64], channels: usize, none: f64) -> Result<Vec<f64>, String> {
    let numbers = match numbers {
        [] => vec![none; channels],
        [number] => vec![*number; channels],
        _ if numbers.len() == channels => numbers.to_vec(),
        _ => return Err(format!("there are {} numbers of {what} for {channels} channels", numbers.len())),
    };
    match numbers.iter().find(|number| !(**number as f32).is_finite()) {
        Some(number) => Err(format!("{what} {number:?} is no finite f32")),
        None => Ok(numbers),
    }
}
