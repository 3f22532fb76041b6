//! `hb_compile`: configuration, steps, logs, reports.
