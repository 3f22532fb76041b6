//! What an image of a camera is worth to a network: from bytes around 0 to the normalized channels that it was trained with, as a
//! matrix and an offset.

use super::preprocessing::{InputType, Preprocessing, SpaceAndRange, per_channel};

/// A byte of a camera is seen as the integer `byte - CENTRE`, which yuv444_128 is itself.
const CENTRE: f64 = 128.0;
/// The share of red in luma (BT.601).
const RED: f64 = 0.299;
/// The share of blue.
const BLUE: f64 = 0.114;

/// `normalized[c] = Σ_k matrix[c][k] · (byte[k] - 128) + offset[c]`: c goes over the channels that the network was trained with, k over
/// those of the deployed image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConversion {
    /// A row for each channel of the network.
    pub matrix: Vec<Vec<f64>>,
    /// One for each channel of the network.
    pub offset: Vec<f64>,
}

impl ImageConversion {
    /// The conversion that preprocessing asks for. Nothing is clipped: luma and chroma that no colour has give values beyond those
    /// of any image.
    ///
    /// # Errors
    /// When the deployed type does not become that of training, or there are not as many numbers as channels.
    pub fn of(preprocessing: &Preprocessing) -> Result<Self, String> {
        let Preprocessing { type_rt, type_train, space_and_range, mean, scale, .. } = preprocessing;
        let channels = type_train.channels().filter(|_| type_rt.becomes(*type_train));
        let channels = channels.ok_or_else(|| format!("{type_rt} cannot be turned into {type_train}"))? as usize;
        let colour = matches!(type_train, InputType::Rgb | InputType::Bgr);
        if *space_and_range != SpaceAndRange::Regular && !(*type_rt == InputType::Nv12 && colour) {
            return Err(format!(
                "{} is a range of nv12 for networks of rgb or bgr, not of {type_rt} for {type_train}",
                space_and_range.name()
            ));
        }
        let mut conversion = match (type_rt, type_train) {
            (InputType::Yuv444 | InputType::Yuv444_128 | InputType::Nv12, InputType::Rgb | InputType::Bgr) => {
                Self::red_green_blue(*space_and_range)
            }
            (_, InputType::Yuv444_128) => Self::identity(channels, 0.0),
            _ => Self::identity(channels, CENTRE),
        };
        let swaps = match type_rt {
            InputType::Rgb | InputType::Bgr => type_rt != type_train,
            _ => *type_train == InputType::Bgr,
        };
        if swaps {
            conversion.matrix.reverse();
            conversion.offset.reverse();
        }
        let (mean, scale) = (per_channel("mean", mean, channels, 0.0)?, per_channel("scale", scale, channels, 1.0)?);
        let rows = conversion.matrix.iter_mut().zip(&mut conversion.offset);
        for ((row, offset), (mean, scale)) in rows.zip(mean.into_iter().zip(scale)) {
            row.iter_mut().for_each(|factor| *factor *= scale);
            *offset = (*offset - mean) * scale;
        }
        Ok(conversion)
    }

    /// Channels as they are; what the network calls 0 is `centre` below the integer 0.
    fn identity(channels: usize, centre: f64) -> Self {
        let row = |channel: usize| (0..channels).map(|other| if other == channel { 1.0 } else { 0.0 }).collect();
        Self { matrix: (0..channels).map(row).collect(), offset: vec![centre; channels] }
    }

    /// Red, green and blue of luma and chroma (BT.601).
    fn red_green_blue(range: SpaceAndRange) -> Self {
        let green = 1.0 - RED - BLUE;
        // Luma of black, and what a step of luma and of chroma is of one of the full range.
        let (black, luma, chroma) = match range {
            SpaceAndRange::Regular => (0.0, 1.0, 1.0),
            SpaceAndRange::Bt601Video => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        };
        let (of_blue, of_red) = (2.0 * (1.0 - BLUE) * chroma, 2.0 * (1.0 - RED) * chroma);
        Self {
            matrix: vec![
                vec![luma, 0.0, of_red],
                vec![luma, -of_blue * BLUE / green, -of_red * RED / green],
                vec![luma, of_blue, 0.0],
            ],
            offset: vec![luma * (CENTRE - black); 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::preprocessing::Layout;
    use super::*;
    use serde::Deserialize;

    /// Written by `tests/data/preprocessing/make_conversion_cases.py`, from the definition of BT.601.
    #[derive(Deserialize)]
    struct Case {
        input_type_rt: String,
        input_type_train: String,
        input_space_and_range: String,
        mean: Vec<f64>,
        scale: Vec<f64>,
        /// Bytes, of yuv444_128 the integers around 0.
        pixels: Vec<Vec<i16>>,
        expected: Vec<Vec<f64>>,
    }

    fn preprocessing(type_rt: InputType, type_train: InputType, space_and_range: SpaceAndRange) -> Preprocessing {
        Preprocessing {
            type_rt,
            type_train,
            space_and_range,
            resized: false,
            layout: Layout::Nchw,
            mean: vec![],
            scale: vec![],
        }
    }

    #[test]
    fn pixels_become_what_the_definition_says() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/data/preprocessing/conversion_cases.json")).unwrap();
        assert!(cases.len() > 30);
        for case in cases {
            let conversion = ImageConversion::of(&Preprocessing {
                mean: case.mean,
                scale: case.scale,
                ..preprocessing(
                    InputType::named(&case.input_type_rt).unwrap(),
                    InputType::named(&case.input_type_train).unwrap(),
                    SpaceAndRange::named(&case.input_space_and_range).unwrap(),
                )
            })
            .unwrap();
            for (pixel, expected) in case.pixels.iter().zip(&case.expected) {
                for ((row, offset), expected) in conversion.matrix.iter().zip(&conversion.offset).zip(expected) {
                    let given =
                        |value: &i16| f64::from(*value) - if case.input_type_rt == "yuv444_128" { 0.0 } else { 128.0 };
                    let found: f64 =
                        row.iter().zip(pixel).map(|(factor, value)| factor * given(value)).sum::<f64>() + offset;
                    let (rt, train) = (&case.input_type_rt, &case.input_type_train);
                    assert!(
                        (found - expected).abs() < 1e-9,
                        "{rt} to {train}: {pixel:?} gives {found}, not {expected}"
                    );
                }
            }
        }
    }

    /// The manual's table, and where its range of values may be given.
    #[test]
    fn only_the_pairs_of_the_manual_convert() {
        use InputType::{Bgr, Featuremap, Gray, Nv12, Rgb, Yuv444, Yuv444_128};
        let legal = [
            (Yuv444, [Nv12, Yuv444, Yuv444_128].as_slice()),
            (Yuv444_128, &[Yuv444_128]),
            (Rgb, &[Nv12, Yuv444, Yuv444_128, Rgb, Bgr]),
            (Bgr, &[Nv12, Yuv444, Yuv444_128, Rgb, Bgr]),
            (Gray, &[Gray]),
            (Featuremap, &[Featuremap]),
            (Nv12, &[]),
        ];
        for (train, given) in legal {
            for rt in InputType::ALL {
                assert_eq!(rt.becomes(train), given.contains(&rt), "{rt} for {train}");
                let plain = ImageConversion::of(&preprocessing(rt, train, SpaceAndRange::Regular)).is_ok();
                assert_eq!(plain, given.contains(&rt) && train != Featuremap, "{rt} for {train}");
                let video = ImageConversion::of(&preprocessing(rt, train, SpaceAndRange::Bt601Video)).is_ok();
                assert_eq!(video, rt == Nv12 && matches!(train, Rgb | Bgr), "{rt} for {train}");
            }
        }
    }
}
