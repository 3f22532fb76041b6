//! The rules of the `bpu` dialect.

use crate::hooks::Rules;

pub(crate) fn rules() -> impl Iterator<Item = Rules> {
    std::iter::empty()
}
