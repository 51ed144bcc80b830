//! Turns our declarations of the host's interface into Rust, and links the module so that it binds to itself.

#[path = "src/host/version.rs"]
#[allow(dead_code)]
mod version;

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=kamailio-headers");
    println!("cargo:rerun-if-changed=src/host/layout.c");
    println!("cargo:rerun-if-changed=src/host/version.rs");
    println!("cargo:rerun-if-env-changed=SHARDCACHE_HOST");
    // Modules loaded with RTLD_GLOBAL export the same names as we do; ours must win inside our own file.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    cc::Build::new().file("src/host/layout.c").include("kamailio-headers").warnings_into_errors(true).compile("layout");
    bindings();
    fixed_host();
}

fn bindings() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("kamailio.rs");
    let made = bindgen::Builder::default()
        .header("kamailio-headers/kamailio.h")
        .allowlist_file("kamailio-headers/.*")
        .rust_target(bindgen::RustTarget::stable(88, 0).unwrap_or_default())
        .layout_tests(true)
        .derive_copy(true)
        .derive_debug(false)
        .generate_comments(true)
        .generate()
        .unwrap_or_else(|error| fail(&format!("bindgen: {error}")));
    made.write_to_file(&out).unwrap_or_else(|error| fail(&format!("{}: {error}", out.display())));
}

/// `SHARDCACHE_HOST="$(kamailio -v)"` builds for that host alone, and leaves the judgement to its loader.
fn fixed_host() {
    let Ok(text) = env::var("SHARDCACHE_HOST") else { return };
    let Some((version, flags)) = version::printed(&text) else {
        fail("SHARDCACHE_HOST must hold the output of `kamailio -v`");
    };
    println!("cargo:rustc-env=SHARDCACHE_HOST_VERSION={version}");
    println!("cargo:rustc-env=SHARDCACHE_HOST_FLAGS={flags}");
}

fn fail(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(1)
}
