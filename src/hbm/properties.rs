//! Properties that hold for any file: no panic, and no change goes unnoticed.

use proptest::prelude::*;

use super::builder::assemble;
use super::layout::{ENTRY_BYTES, HEADER_BYTES};
use super::tests::{file, manifest, rehash};
use super::*;

proptest! {
    /// Every byte is covered by a rule, so no change goes unnoticed.
    #[test]
    fn a_flipped_bit_is_always_refused(position in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = file();
        let position = position.index(bytes.len());
        bytes[position] ^= 1u8 << bit;
        prop_assert!(Hbm::from_bytes(bytes).is_err());
    }

    #[test]
    fn a_truncated_file_is_always_refused(length in any::<prop::sample::Index>()) {
        let mut bytes = file();
        bytes.truncate(length.index(bytes.len()));
        prop_assert!(Hbm::from_bytes(bytes).is_err());
    }

    /// A hostile writer can make every hash right; the manifest must still be judged without a panic.
    #[test]
    fn a_manifest_with_flipped_bytes_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut encoded = wire::encode(&manifest());
        for (position, value) in changes {
            let position = position.index(encoded.len());
            encoded[position] = value;
        }
        let parts: [(SectionKind, usize, &[u8]); 5] = [
            (SectionKind::Manifest, 8, &encoded),
            (SectionKind::Program, 64, &[]),
            (SectionKind::Constants, 64, &[]),
            (SectionKind::CpuIr, 64, &[]),
            (SectionKind::CpuObject, 64, &[]),
        ];
        // Whatever is accepted, a writer would write the same way.
        if let Ok(hbm) = Hbm::from_bytes(assemble(&parts).unwrap()) {
            prop_assert_eq!(wire::encode(hbm.manifest()), encoded);
        }
    }

    /// The same for the table.
    #[test]
    fn a_table_with_flipped_bytes_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = file();
        for (position, value) in changes {
            bytes[HEADER_BYTES + position.index(5 * ENTRY_BYTES)] = value;
        }
        rehash(&mut bytes);
        let _ = Hbm::from_bytes(bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Hbm::from_bytes(bytes.clone()).is_err());
        let _ = wire::decode(&bytes, bytes.len());
    }
}
