//! reading what people write.

use crate::support::Scratch;
use probity::target;
use probity::yaml::Diagnostic;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The mistakes of a configuration that must have some.
fn mistakes(path: &Path) -> Vec<Diagnostic> {
    target::load(path).err().unwrap_or_else(|| panic!("{} is read without a mistake", path.display()))
}

/// The text after each `# expect: ` at the head of a file.
fn expectations(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("# ")).filter_map(|line| line.strip_prefix("expect: ")).collect()
}

#[test]
fn each_bad_file_gives_its_expected_mistake() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder("bad")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = expectations(&text);
        let found: Vec<String> = mistakes(&path)
            .iter()
            .map(|mistake| mistake.to_string().replace(&format!("{}/", folder("bad").display()), ""))
            .collect();
        if expected.is_empty() || found != expected {
            wrong.push(format!("{name}\n  expected {expected:#?}\n  found {found:#?}"));
        }
        seen += 1;
    }
    assert!(seen >= 16, "the folder of bad files holds only {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore]
fn print_bad() {
    for entry in std::fs::read_dir(folder("bad")).unwrap() {
        let path = entry.unwrap().path();
        for m in target::load(&path).err().into_iter().flatten() {
            let m = m.to_string().replace(&format!("{}/", folder("bad").display()), "");
            println!("@@{}\t{m}", path.file_name().unwrap().to_string_lossy());
        }
    }
    let _ = Scratch::new("x");
}
