//! The whole list of servers: those of the parameters, then those of a file with one server per line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{Config, ConfigError, ServerSpec};

/// No list is longer, bytes.
const MOST: u64 = 4 << 20;

impl Config {
    /// All servers; the file of `server_list` is read now. The whole is checked.
    ///
    /// # Errors
    /// A file that cannot be read, and whatever [`Config::add_server`] and [`Config::check`] refuse.
    pub fn list(&self) -> Result<Vec<ServerSpec>, ConfigError> {
        let mut whole = self.clone();
        let Some(path) = &self.server_list else {
            whole.check()?;
            return Ok(whole.servers);
        };
        let fail = |problem| ConfigError::new("server_list", &path.display().to_string(), problem);
        let text = read(path).map_err(fail)?;
        let lines = whole.add_lines(&text, path)?;
        let line = |server: usize| lines.get(server.checked_sub(self.servers.len())?);
        whole.check_placed(|server, error| match line(server) {
            Some(line) => error.at(path, *line),
            None => error,
        })?;
        Ok(whole.servers)
    }

    /// Takes one server per line; what begins with `#` and what is blank is left out. Returns each server's line.
    fn add_lines(&mut self, text: &str, path: &Path) -> Result<Vec<usize>, ConfigError> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let specs = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let add = |(number, line)| {
            self.add_server(line).map_err(|error| error.at(path, number))?;
            Ok(number)
        };
        specs.map(add).collect()
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    if !path.metadata().map_err(failed)?.is_file() {
        return Err("expected a file".to_owned());
    }
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(MOST + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MOST {
        return Err(format!("expected at most {MOST} bytes"));
    }
    String::from_utf8(text).map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("servers");
        std::fs::write(&path, text).unwrap();
        let mut config = Config::default();
        config.add_server("name=own;addr=h0").unwrap();
        config.set_server_list(path.to_str().unwrap()).unwrap();
        let place = |error: ConfigError| error.to_string().replace(path.to_str().unwrap(), "FILE");
        Ok(config.list().map_err(place)?.into_iter().map(|server| server.name).collect())
    }

    #[test]
    fn servers_of_a_file_follow_those_of_the_parameters() {
        let text = "# ours\n\nname=a;addr=h1\r\n  name=b;addr=h2;weight=2  \n\t# name=c;addr=h3\nname=d;addr=h4";
        assert_eq!(list(text), Ok(["own", "a", "b", "d"].map(String::from).to_vec()));
        assert_eq!(list(""), Ok(vec!["own".to_owned()]));
    }

    #[test]
    fn an_error_names_file_line_and_what_was_expected() {
        for (text, want) in [
            ("name=a;addr=h1\nname=a;addr=h2\n", "FILE line 2: server \"name=a;addr=h2\": its name is already"),
            ("\n\nmc1\n", "FILE line 3: server \"mc1\": expected name=<name>;addr=<address>"),
            (
                "name=a;addr=h1;user=u;pass=se;cret\n",
                "FILE line 1: server \"name=a;addr=h1;user=u;pass=***\": expected",
            ),
            (
                "name=a;addr=h0\n",
                "FILE line 1: server \"name=a;addr=h0\": its address is already that of server \"own\"",
            ),
            (
                "name=a;addr=h1\n\nname=b;addr=h2;pair=x\n",
                "FILE line 3: server \"name=b;addr=h2:11211;weight=1;pair=x\": pair=x: expected the name",
            ),
        ] {
            let error = list(text).unwrap_err();
            assert!(error.starts_with(want), "{error}\nshould begin with: {want}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("latin1"), b"name=a;addr=h1\n# caf\xe9\n").unwrap();
        for (name, words) in [("none", "cannot be read"), ("", "expected a file"), ("latin1", "byte 20 is not UTF-8")] {
            let mut config = Config::default();
            config.set_server_list(&path(name)).unwrap();
            let error = config.list().unwrap_err().to_string();
            assert!(error.starts_with("server_list \"/") && error.contains(words), "{error}");
        }
        for bad in ["", "servers.list", "/etc/a\n"] {
            assert!(Config::default().set_server_list(bad).is_err(), "{bad:?}");
        }
    }
}
