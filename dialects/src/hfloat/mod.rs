//! The rules of the `hfloat` dialect.

use crate::hooks::Rules;

pub(crate) fn rules() -> impl Iterator<Item = Rules> {
    std::iter::empty()
}
