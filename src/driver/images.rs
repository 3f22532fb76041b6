//! JPEG and PNG files as samples of an input that takes images.

use super::configuration::ImageFit;
use crate::cpu::Array;
use image::imageops::{self, FilterType};
use image::{ImageReader, Limits, Rgb, RgbImage};
use std::path::Path;

/// The largest side of an image, and the memory that decoding may take.
const LARGEST_SIDE: u32 = 1 << 15;
const LARGEST_MEMORY: u64 = 1 << 30;
/// What detectors are trained to see beside an image.
const GREY: u8 = 114;

/// The order of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
    /// Luma of BT.601.
    Gray,
}

impl Channels {
    /// Those of `input_type_train`; none where images do not become that.
    pub fn named(input_type: &str) -> Option<Self> {
        match input_type {
            "rgb" => Some(Self::Rgb),
            "bgr" => Some(Self::Bgr),
            "gray" => Some(Self::Gray),
            _ => None,
        }
    }

    fn count(self) -> usize {
        if self == Self::Gray { 1 } else { 3 }
    }

    fn of(self, &Rgb([red, green, blue]): &Rgb<u8>) -> [u8; 3] {
        match self {
            Self::Rgb => [red, green, blue],
            Self::Bgr => [blue, green, red],
            Self::Gray => {
                // 0.299, 0.587 and 0.114 in 16 bits, rounded, as PIL and OpenCV compute it.
                let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue) + 0x8000;
                [(sum >> 16) as u8; 3]
            }
        }
    }
}

/// What an input takes.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageForm {
    /// How images get the size of the input.
    pub fit: ImageFit,
    /// The order of channels.
    pub channels: Channels,
    /// Whether channels are the last dimension; else the second.
    pub channels_last: bool,
    /// Subtracted, per channel; empty for nothing.
    pub mean: Vec<f64>,
    /// Multiplied, per channel; empty for one.
    pub scale: Vec<f64>,
}

/// Reads an image as the input of this shape takes it: float32, normalised.
///
/// # Errors
/// When it is no image, too large, or the input takes none.
pub fn read(path: &Path, form: &ImageForm, shape: &[usize]) -> Result<Array, String> {
    let (height, width) = match (form.channels_last, shape) {
        (false, &[1, channels, height, width]) if channels == form.channels.count() => (height, width),
        (true, &[1, height, width, channels]) if channels == form.channels.count() => (height, width),
        _ => {
            return Err(format!(
                "an image with {} channel(s) has not the input's shape {shape:?}",
                form.channels.count()
            ));
        }
    };
    let side = |size: usize| u32::try_from(size).ok().filter(|size| (1..=LARGEST_SIDE).contains(size));
    let (Some(width), Some(height)) = (side(width), side(height)) else {
        return Err(format!("the input's shape {shape:?} is none of images"));
    };
    let image = fitted(&decode(path)?, form.fit, width, height)?;
    let normalised = |channel: usize, value: u8| {
        let mean = form.mean.get(channel).copied().unwrap_or(0.0);
        let scale = form.scale.get(channel).copied().unwrap_or(1.0);
        ((f64::from(value) - mean) * scale) as f32
    };
    let pixels: Vec<[u8; 3]> = image.pixels().map(|pixel| form.channels.of(pixel)).collect();
    let channels = 0..form.channels.count();
    let of = |channel: usize, pixel: &[u8; 3]| normalised(channel, pixel.get(channel).copied().unwrap_or(0));
    let values: Vec<f32> = match form.channels_last {
        true => pixels.iter().flat_map(|pixel| channels.clone().map(move |channel| of(channel, pixel))).collect(),
        false => channels.flat_map(|channel| pixels.iter().map(move |pixel| of(channel, pixel))).collect(),
    };
    Array::from_values(shape, &values).map_err(|error| error.to_string())
}

fn decode(path: &Path) -> Result<RgbImage, String> {
    let read = || -> image::ImageResult<RgbImage> {
        let mut reader = ImageReader::open(path)?.with_guessed_format()?;
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
        limits.max_alloc = Some(LARGEST_MEMORY);
        reader.limits(limits);
        Ok(reader.decode()?.to_rgb8())
    };
    read().map_err(|error| error.to_string())
}

/// The image in the size of the input.
fn fitted(image: &RgbImage, fit: ImageFit, width: u32, height: u32) -> Result<RgbImage, String> {
    let (from_width, from_height) = image.dimensions();
    if from_width == 0 || from_height == 0 {
        return Err("it has no pixels".into());
    }
    let ratios = (f64::from(width) / f64::from(from_width), f64::from(height) / f64::from(from_height));
    let ratio = match fit {
        ImageFit::CenterCrop => ratios.0.max(ratios.1),
        ImageFit::ImagenetCrop => ratios.0.max(ratios.1) * 8.0 / 7.0,
        ImageFit::Letterbox => ratios.0.min(ratios.1),
    };
    let resized = |size: u32| (f64::from(size) * ratio).round().max(1.0);
    let (new_width, new_height) = (resized(from_width), resized(from_height));
    if new_width > f64::from(LARGEST_SIDE) || new_height > f64::from(LARGEST_SIDE) {
        return Err(format!("resized it would have {new_width} x {new_height} pixels, too many"));
    }
    let (new_width, new_height) = (new_width as u32, new_height as u32);
    let resized = match (new_width, new_height) == image.dimensions() {
        true => image.clone(),
        false => imageops::resize(image, new_width, new_height, FilterType::Triangle),
    };
    match fit {
        ImageFit::CenterCrop | ImageFit::ImagenetCrop => {
            let middle = |size: u32, part: u32| size.saturating_sub(part) / 2;
            let (left, top) = (middle(new_width, width), middle(new_height, height));
            Ok(imageops::crop_imm(&resized, left, top, width, height).to_image())
        }
        ImageFit::Letterbox => {
            let mut canvas = RgbImage::from_pixel(width, height, Rgb([GREY; 3]));
            let left = i64::from(width.saturating_sub(new_width) / 2);
            let top = i64::from(height.saturating_sub(new_height) / 2);
            imageops::replace(&mut canvas, &resized, left, top);
            Ok(canvas)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 x 2 pixels, the left half red, the right half blue.
    fn picture() -> RgbImage {
        RgbImage::from_fn(4, 2, |x, _| if x < 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
    }

    fn form(fit: ImageFit, channels: Channels, channels_last: bool) -> ImageForm {
        ImageForm { fit, channels, channels_last, mean: vec![1.0; 3], scale: vec![0.5, 1.0, 2.0] }
    }

    fn values(form: &ImageForm, shape: &[usize]) -> Vec<f32> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        picture().save(&path).unwrap();
        read(&path, form, shape).unwrap().values::<f32>().unwrap().to_vec()
    }

    #[test]
    fn the_centre_is_cut_out_and_normalised() {
        let crop = ImageFit::CenterCrop;
        // The centre has one red and one blue pixel a row: (255 - 1) / 2, (0 - 1), (255 - 1) * 2.
        let rgb = values(&form(crop, Channels::Rgb, false), &[1, 3, 2, 2]);
        assert_eq!(rgb, [127.0, -0.5, 127.0, -0.5, -1.0, -1.0, -1.0, -1.0, -2.0, 508.0, -2.0, 508.0]);
        let bgr = values(&form(crop, Channels::Bgr, true), &[1, 2, 2, 3]);
        assert_eq!(bgr[..6], [-0.5, -1.0, 508.0, 127.0, -1.0, -2.0]);
        // 0.299 and 0.114 of 255 are 76 and 29.
        let gray = values(&form(crop, Channels::Gray, false), &[1, 1, 2, 2]);
        assert_eq!(gray, [37.5, 14.0, 37.5, 14.0]);
    }

    #[test]
    fn a_crop_for_imagenet_shows_seven_eighths() {
        // 8 x 8 to 7 x 7 of it: the picture of 8 pixels is not resized, and the last row and column are cut off.
        let eight = RgbImage::from_fn(8, 8, |x, y| Rgb([(8 * y + x) as u8; 3]));
        let cut = fitted(&eight, ImageFit::ImagenetCrop, 7, 7).unwrap();
        assert_eq!((cut.dimensions(), cut.get_pixel(0, 0).0[0], cut.get_pixel(6, 6).0[0]), ((7, 7), 0, 54));
    }

    #[test]
    fn what_a_letterbox_leaves_is_filled() {
        let gray = values(&form(ImageFit::Letterbox, Channels::Gray, false), &[1, 1, 4, 4]);
        // (114 - 1) / 2
        assert_eq!(gray[..4], [56.5; 4]);
        assert_eq!(gray[4..8], [37.5, 37.5, 14.0, 14.0]);
        assert_eq!(gray[12..], [56.5; 4]);
    }

    #[test]
    fn faults_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.jpg");
        let crop = form(ImageFit::CenterCrop, Channels::Rgb, false);
        std::fs::write(&path, b"no image").unwrap();
        assert!(read(&path, &crop, &[1, 3, 2, 2]).is_err());
        picture().save(folder.path().join("picture.png")).unwrap();
        let path = folder.path().join("picture.png");
        assert!(read(&path, &crop, &[1, 1, 2, 2]).unwrap_err().contains("3 channel(s)"));
    }
}
