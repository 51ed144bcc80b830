//! shardcache: one fast cache shared by a farm of Kamailio SIP proxies, kept on a memcached cluster.
//!
//! Data flows one way, and the rooms stand here in that order:
//! `kamailio.cfg → module → key → cache → near / ring / health / wire → reply → variable`.

pub mod clock;
pub mod value;

pub mod config;
pub mod key;
pub mod table;

pub mod cache;
pub mod cluster;
pub mod health;
pub mod near;
pub mod ring;
pub mod wire;

pub mod host;
pub mod module;
