//! A real Kamailio: found, configured from text with tokens, started in the foreground, waited for, and ended in `Drop`.
//!
//! `KAMAILIO_BIN` names another binary, `KAMAILIO_ROOT` a root directory to run it in, `SHARDCACHE_SO` another build of
//! the module, `WRAP` a program to run it under (`WRAP="valgrind -q"`).
//! Tokens: `%%SIP_PORT%%` `%%MPATH%%` `%%MODULE%%` `%%DIR%%` `%%CTL%%`, and what `set` adds.

use super::host::Host;
use super::ports;
use super::process::{self, Process, need};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use tempfile::TempDir;

/// Where a running host can be told to be ready.
#[derive(Clone, Copy, PartialEq)]
pub enum Ready {
    /// JSON-RPC over HTTP at the SIP port.
    Http,
    /// The ctl socket `%%CTL%%`.
    Ctl,
    /// A SIP request gets a final reply.
    Sip,
}

/// A host to be.
#[derive(Clone)]
pub struct Kamailio {
    cfg: String,
    tokens: Vec<(String, String)>,
    files: Vec<(String, String)>,
    args: Vec<String>,
    root: Option<PathBuf>,
    envs: Vec<(String, String)>,
    pub(super) ready: Ready,
    pub(super) daemon: bool,
    pub(super) allowed: Vec<String>,
}

impl Kamailio {
    pub fn cfg(text: impl Into<String>) -> Kamailio {
        let root = env::var_os("KAMAILIO_ROOT").map(PathBuf::from);
        let (tokens, files, args, envs, allowed) = Default::default();
        Kamailio { cfg: text.into(), tokens, files, args, root, envs, ready: Ready::Http, daemon: false, allowed }
    }

    /// Replaces `%%name%%` in the configuration and in the files.
    pub fn set(mut self, name: &str, value: impl ToString) -> Kamailio {
        self.tokens.push((format!("%%{name}%%"), value.to_string()));
        self
    }

    /// A further file beside the configuration (`%%DIR%%/name`), tokens replaced.
    pub fn file(mut self, name: &str, text: &str) -> Kamailio {
        self.files.push((name.into(), text.into()));
        self
    }

    pub fn arg(mut self, arg: &str) -> Kamailio {
        self.args.push(arg.into());
        self
    }

    /// `-A name=value`: a name that the configuration may read; tokens in the value are replaced.
    pub fn define(self, name: &str, value: &str) -> Kamailio {
        self.arg("-A").arg(&format!("{name}={value}"))
    }

    pub fn env(mut self, name: &str, value: &str) -> Kamailio {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Runs inside this root directory; `None` is the machine itself.
    pub fn root(mut self, root: Option<&Path>) -> Kamailio {
        self.root = root.map(Path::to_path_buf);
        self
    }

    pub fn ready(mut self, ready: Ready) -> Kamailio {
        self.ready = ready;
        self
    }

    /// Goes to the background, as a service does; there is no log then.
    pub fn daemon(mut self) -> Kamailio {
        self.daemon = true;
        self
    }

    /// A log line with this text is no defect.
    pub fn allow(mut self, text: &str) -> Kamailio {
        self.allowed.push(text.into());
        self
    }

    /// Starts and waits until it answers; panics with the log when it does not.
    pub fn start(self) -> Host {
        for _ in 0..3 {
            match self.launch() {
                Ok(host) => return host,
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("kamailio did not start:\n{log}"),
            }
        }
        panic!("kamailio found no free port in three tries");
    }

    /// Starts what must not start; gives the log.
    pub fn refused(self) -> String {
        match self.launch() {
            Ok(host) => panic!("kamailio started:\n{}", host.log()),
            Err(log) => log,
        }
    }

    /// `kamailio -c`: whether the configuration is good, and what was said.
    pub fn check(self) -> (bool, String) {
        let place = Place::new(&self);
        let mut command = place.kamailio(&self);
        let out = command.arg("-c").output().expect("kamailio -c");
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout),
        )
    }

    fn launch(&self) -> Result<Host, String> {
        let place = Place::new(self);
        let process = place.launch(self);
        let mut host = Host { process, place, plan: self.clone(), judged: false };
        host.wait_ready()?;
        host.judged = true;
        Ok(host)
    }
}

/// The directory of one host: as the test sees it, and as the host sees it inside its root.
pub(super) struct Place {
    pub(super) dir: TempDir,
    root: Option<PathBuf>,
    pub(super) port: u16,
}

impl Place {
    fn new(plan: &Kamailio) -> Place {
        use std::os::unix::fs::PermissionsExt;
        let parent = plan.root.as_ref().map_or_else(env::temp_dir, |r| r.join("tmp"));
        let dir = tempfile::Builder::new().prefix("shc-").tempdir_in(parent).expect("temporary directory");
        let place = Place { dir, root: plan.root.clone(), port: ports::free() };
        fs::create_dir_all(place.path("modules")).expect("modules");
        fs::create_dir_all(place.path("run")).expect("run");
        for dir in ["", "modules", "run"] {
            fs::set_permissions(place.path(dir), fs::Permissions::from_mode(0o777)).expect("permissions");
        }
        let target = place.path("modules/shardcache.so");
        let built = built_module();
        fs::hard_link(&built, &target).or_else(|_| fs::copy(&built, &target).map(drop)).expect("module");
        for (name, text) in plan.files.iter().chain([&("kamailio.cfg".to_string(), plan.cfg.clone())]) {
            fs::write(place.path(name), place.render(text, &plan.tokens)).expect("write");
        }
        place
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn inner(&self, name: &str) -> String {
        let dir = match &self.root {
            Some(root) => Path::new("/").join(self.dir.path().strip_prefix(root).expect("inside the root")),
            None => self.dir.path().to_path_buf(),
        };
        dir.join(name).display().to_string()
    }

    fn render(&self, text: &str, tokens: &[(String, String)]) -> String {
        let text = tokens.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value));
        text.replace("%%SIP_PORT%%", &self.port.to_string())
            .replace("%%MPATH%%", &self.mpath())
            .replace("%%MODULE%%", &self.inner("modules/shardcache.so"))
            .replace("%%CTL%%", &self.inner("ctl"))
            .replace("%%DIR%%", self.inner("").trim_end_matches('/'))
    }

    /// Our directory, then the host's own.
    fn mpath(&self) -> String {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        let multiarch = format!("usr/lib/{}-linux-gnu/kamailio/modules", env::consts::ARCH);
        let known =
            [&multiarch, "usr/lib64/kamailio/modules", "usr/local/lib64/kamailio/modules", "usr/lib/kamailio/modules"];
        let system = env::var("KAMAILIO_MODULES").ok();
        let system = system.or_else(|| known.iter().find(|d| root.join(d).is_dir()).map(|d| format!("/{d}")));
        format!("{}:{}", self.inner("modules"), system.expect("no kamailio modules: run scripts/setup"))
    }

    pub(super) fn launch(&self, plan: &Kamailio) -> Process {
        let mut command = self.kamailio(plan);
        match plan.daemon {
            true => command.args(["-P", &self.inner("pid")]),
            false => command.args(["-DD", "-E"]),
        };
        Process::start(command, &self.path("log"))
    }

    fn kamailio(&self, plan: &Kamailio) -> Command {
        let mut words: Vec<String> =
            env::var("WRAP").iter().flat_map(|w| w.split_whitespace()).map(String::from).collect();
        match &self.root {
            Some(root) => {
                let own: &[&str] = if process::is_root() { &[] } else { &["unshare", "--map-root-user"] };
                words.extend(own.iter().map(|w| w.to_string()));
                words.extend(["chroot".into(), root.display().to_string(), "/usr/sbin/kamailio".into()]);
            }
            None => words.push(binary().display().to_string()),
        }
        let mut command = Command::new(need_path(&words[0]));
        command.args(&words[1..]).args(["-f", &self.inner("kamailio.cfg"), "-L", &self.mpath()]);
        command.args(["-Y", &self.inner("run"), "-m", "64", "-M", "8"]);
        command.args(plan.args.iter().map(|arg| self.render(arg, &plan.tokens)));
        command.envs(plan.envs.iter().map(|(k, v)| (k, v))).current_dir("/");
        command
    }
}

/// The Kamailio of this machine.
pub fn binary() -> PathBuf {
    env::var_os("KAMAILIO_BIN").map_or_else(|| need("kamailio"), PathBuf::from)
}

fn need_path(name: &str) -> PathBuf {
    if name.contains('/') { PathBuf::from(name) } else { need(name) }
}

/// The newest libshardcache.so of the build that this program belongs to.
pub fn built_module() -> PathBuf {
    if let Some(path) = env::var_os("SHARDCACHE_SO") {
        return PathBuf::from(path);
    }
    let program = env::current_exe().expect("own path");
    let age = |p: &PathBuf| fs::metadata(p).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let near = program.ancestors().skip(1).take(2);
    let all = near.flat_map(|d| [d.join("libshardcache.so"), d.join("deps/libshardcache.so")]);
    let newest = all.filter(|p| p.is_file()).max_by_key(age);
    newest.unwrap_or_else(|| panic!("no libshardcache.so near {}: cargo build first", program.display()))
}
