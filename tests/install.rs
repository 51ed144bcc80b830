//! `make install` puts the module where the host looks for it, and the SQL scripts where an operator finds them.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_module_comes_under_both_names_and_every_script_beside_its_kind() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tempfile::tempdir().expect("temporary directory");
    let built = root.path().join("built.so");
    fs::write(&built, "module").expect("a file");
    let mut install = Command::new(house.join("scripts/install"));
    install.arg(&built).env("DESTDIR", root.path()).env("MODULES_DIR", "/modules").env("SHARE_DIR", "/share");
    assert!(install.output().expect("scripts/install").status.success());
    for name in ["shardcache", "db_shardcache"] {
        assert_eq!(fs::read(root.path().join(format!("modules/{name}.so"))).expect(name), b"module");
    }
    for kind in ["mysql", "postgres", "sqlite"] {
        for script in ["outbox", "trigger", "trigger-tag"] {
            let name = format!("sql/{kind}/{script}.sql");
            let [ours, theirs] = [house.join(&name), root.path().join("share").join(&name)];
            assert_eq!(fs::read(ours).expect(&name), fs::read(theirs).expect(&name), "{name}");
        }
    }
}
