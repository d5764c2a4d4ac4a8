//! Shop: a folder with a shop in it, built and served by the real binary.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use vitrine::commerce::rules::Rules;
use vitrine::site::problem::Problems;
use vitrine::theme::texts::{Dictionary, Texts};

/// Settings of a shop with one market, in that currency.
pub fn site(currency: &str) -> String {
    format!(
        "[shop]\nname = \"Tiny\"\nbase_url = \"https://tiny.example\"\n\n[[markets]]\nid = \"eu\"\ncountries = [\"DE\"]\n\
         currency = \"{currency}\"\n\n[tax]\nclasses = [\"standard\", \"reduced\"]\n\
         rates = [{{ country = \"DE\", name = \"VAT\", standard = \"19\", reduced = \"7\" }}]\n\n[[shipping]]\nid = \"home\"\n\
         countries = [\"DE\"]\nrates = [{{ id = \"standard\", name = \"Standard\", price = \"5\" }}]\n"
    )
}

/// The rules of that shop.
pub fn rules(currency: &str) -> Rules {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("site.toml"), site(currency)).expect("written");
    let mut problems = Problems::new();
    vitrine::config::read(folder.path(), &mut problems).unwrap_or_else(|| panic!("{}", problems.render(false))).rules
}

/// What the theme says in a language.
pub fn texts(language: &str) -> Texts {
    Dictionary::new(Vec::new(), language, &[]).texts(language)
}

/// The binary under test.
pub fn vitrine(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.current_dir(folder).env("NO_COLOR", "1");
    command
}

/// Runs a command to its end; gives its exit code, stdout and stderr.
pub fn run(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = vitrine(folder).args(words).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A folder with these files in it: (path, text).
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

/// Writes a file of a shop.
pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

/// A PNG of so many pixels each way.
pub fn png(side: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8, y as u8, 90]));
    pixels.write_to(&mut bytes, image::ImageFormat::Png).expect("it can be written");
    bytes.into_inner()
}

/// Builds as of an instant; gives the report.
pub fn build(root: &Path, as_of: &str, words: &[&str]) -> serde_json::Value {
    let (code, out, told) = run(root, &[&["build", "--as-of", as_of, "--report", "json"], words].concat());
    assert_eq!(code, 0, "{told}");
    let mut report: serde_json::Value = serde_json::from_str(&out).expect("a report");
    report["built"].take()
}

/// Every file below a folder with its bytes, by its path.
pub fn tree(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(root).into_iter().map(|entry| entry.expect("readable"));
    let named = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(root).expect("below").to_string_lossy().into_owned();
        (name, std::fs::read(entry.path()).expect("read"))
    };
    files.filter(|entry| entry.file_type().is_file()).map(named).collect()
}

/// Paths whose bytes differ between two trees.
pub fn changed(
    before: &std::collections::BTreeMap<String, Vec<u8>>,
    after: &std::collections::BTreeMap<String, Vec<u8>>,
) -> Vec<String> {
    let mut names: Vec<String> =
        before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// A shop that is served; ended when dropped.
pub struct Served {
    pub port: u16,
    child: Child,
}

impl Served {
    /// Runs `vitrine serve` in a folder until it says its address.
    pub fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
        let words = ["serve", "--port", &port.to_string()];
        let mut child = vitrine(folder).args(words).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let mut told = String::new();
        let address = format!("http://127.0.0.1:{port}");
        while !told.contains(&address) {
            let line = lines.next().unwrap_or_else(|| panic!("vitrine serve ended: {told}"));
            told.push_str(&line.expect("stderr is text"));
            told.push('\n');
        }
        // Whoever writes to a full pipe waits for ever.
        std::thread::spawn(move || lines.for_each(drop));
        Self { port, child }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
