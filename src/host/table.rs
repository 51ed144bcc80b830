//! The macro behind [`super::api`]: one list of host symbols becomes one struct of pointers, its loader, and a fake.

/// Declares the `Api` struct from lists of functions and data, required and optional.
macro_rules! host_symbols {
    (
        functions { $(fn $f:ident($($a:ident: $t:ty),* $(,)?) $(-> $r:ty)?;)* }
        data { $($d:ident: $dt:ty;)* }
        optional functions { $(fn $of:ident($($oa:ident: $ot:ty),* $(,)?) $(-> $or:ty)?;)* }
        optional data { $($od:ident: $odt:ty;)* }
    ) => {
        /// The host's functions and data. Optional functions may be `None`, optional data null.
        #[derive(Clone)]
        pub struct Api {
            $(pub $f: unsafe extern "C" fn($($a: $t),*) $(-> $r)?,)*
            $(pub $d: *mut $dt,)*
            $(pub $of: Option<unsafe extern "C" fn($($oa: $ot),*) $(-> $or)?>,)*
            $(pub $od: *mut $odt,)*
        }

        impl Api {
            /// Finds every symbol; the names of the required ones that are missing otherwise.
            pub fn load(find: impl Fn(&'static str) -> *mut c_void) -> Result<Self, Vec<&'static str>> {
                let required = [$(stringify!($f),)* $(stringify!($d),)*];
                let missing: Vec<_> = required.into_iter().filter(|name| find(name).is_null()).collect();
                if !missing.is_empty() {
                    return Err(missing);
                }
                Ok(Self {
                    $($f: {
                        // SAFETY: not null, and the host defines this name with this prototype in every supported series.
                        unsafe {
                            std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($a: $t),*) $(-> $r)?>(
                                find(stringify!($f)),
                            )
                        }
                    },)*
                    $($d: find(stringify!($d)).cast(),)*
                    $($of: {
                        // SAFETY: as above; null becomes `None`.
                        unsafe {
                            std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn($($oa: $ot),*) $(-> $or)?>>(
                                find(stringify!($of)),
                            )
                        }
                    },)*
                    $($od: find(stringify!($od)).cast(),)*
                })
            }

            /// A table for tests: data is zeroed, and a function nobody replaced ends the test by its name.
            #[cfg(test)]
            pub fn fake() -> Self {
                Self {
                    $($f: {
                        unsafe extern "C" fn $f($($a: $t),*) $(-> $r)? {
                            let _ = ($($a,)*);
                            panic!(concat!(stringify!($f), " was called"))
                        }
                        $f
                    },)*
                    $($d: zeroed::<$dt>(),)*
                    $($of: None,)*
                    $($od: std::ptr::null_mut(),)*
                }
            }
        }
    };
}

pub(super) use host_symbols;
