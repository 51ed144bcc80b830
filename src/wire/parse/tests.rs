use super::*;
use crate::wire::reply::Reply;
use proptest::prelude::*;
