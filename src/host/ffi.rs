//! The host's C types, made by bindgen from `kamailio-headers/`, where the facts about each stand.

#![allow(
    non_camel_case_types,
    non_upper_case_globals,
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    missing_docs
)]

include!(concat!(env!("OUT_DIR"), "/kamailio.rs"));
