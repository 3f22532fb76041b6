//! Observers, calibration, precision rules, `hfloat` to QDQ.
