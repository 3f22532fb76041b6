//! What the data of an input is likely to be, where nobody says it.

use super::model_check::ModelInput;
use super::{InputType, Layout};

/// The types and the layout of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputGuess {
    /// `input_type_train`
    pub train: InputType,
    /// `input_type_rt`
    pub runtime: InputType,
    /// `input_layout_train`
    pub layout: Layout,
}

impl InputGuess {
    /// Numbers of no known meaning.
    pub const FEATUREMAP: Self =
        Self { train: InputType::Featuremap, runtime: InputType::Featuremap, layout: Layout::Nchw };

    /// A network of bgr images that a camera feeds.
    pub fn image(layout: Layout) -> Self {
        Self { train: InputType::Bgr, runtime: InputType::Nv12, layout }
    }

    /// By the published rule of the vendor's fast performance mode: images of three channels and even size come from the camera, all else is a
    /// feature map. Where the channels may stand in two places the layout is not known.
    pub fn of(input: &ModelInput) -> Self {
        let has_colours = |layout: &Layout| input.shape.get(layout.channel_dimension()) == Some(&Some(3));
        let mut fitting = [Layout::Nchw, Layout::Nhwc].into_iter().filter(has_colours);
        let (Some(layout), None) = (fitting.next(), fitting.next()) else { return Self::FEATUREMAP };
        let (height, width) = layout.image_dimensions();
        let even = |dimension: usize| matches!(input.shape.get(dimension), Some(Some(size)) if size % 2 == 0);
        let is_image = input.shape.len() == 4 && input.can_be_preprocessed() && even(height) && even(width);
        if is_image { Self::image(layout) } else { Self::FEATUREMAP }
    }
}
