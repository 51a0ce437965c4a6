//! Where rendered files go: private to the user, and replaced in one step.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::render::{File, SECRETS};

/// CA bundles of the usual systems, most common first.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// File name of the module as cargo builds it.
const MODULE: &str = "portkey_envoy.wasm";

/// Writes every file below `directory`, which is made when absent (mode 0700), and removes the
/// secrets of virtual keys that are gone.
///
/// # Errors
/// The first file that cannot be written.
pub fn write_all(directory: &Path, files: &[File]) -> io::Result<()> {
    make_private(&directory.join(SECRETS))?;
    write(directory, files)?;
    remove_stale_secrets(directory, files)
}

/// Writes every file below `directory`, and makes the folders that are absent (mode 0700).
///
/// # Errors
/// The first file that cannot be written.
pub fn write(directory: &Path, files: &[File]) -> io::Result<()> {
    make_private(directory)?;
    for file in files {
        if let Some((folder, _)) = file.path.rsplit_once('/') {
            make_private(&directory.join(folder))?;
        }
        replace(directory, file)?;
    }
    Ok(())
}

/// Writes one file (mode 0600) so that a reader sees either the old or the new text.
///
/// # Errors
/// What the file system says, with the path.
pub fn replace(directory: &Path, file: &File) -> io::Result<()> {
    let path = directory.join(&file.path);
    let mut name = path.clone().into_os_string();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let write = || {
        // A file left over from a crash might have another mode.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut target = options.write(true).create_new(true).mode(0o600).open(&fresh)?;
        target.write_all(file.text.as_bytes())?;
        fs::rename(&fresh, &path)
    };
    write().map_err(|error| with_path(&path, &error))
}

/// Removes the files of [`SECRETS`] that are not among `files`.
///
/// # Errors
/// What the file system says, with the path.
pub fn remove_stale_secrets(directory: &Path, files: &[File]) -> io::Result<()> {
    let secrets = directory.join(SECRETS);
    for entry in fs::read_dir(&secrets)? {
        let path = entry?.path();
        let kept = files.iter().any(|file| directory.join(&file.path) == path);
        if !kept && path.extension().is_some_and(|name| name == "json" || name == "aws") {
            fs::remove_file(&path).map_err(|error| with_path(&path, &error))?;
        }
    }
    Ok(())
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| with_path(directory, &error))
}

fn with_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The module: `given`, else `$PORTKEY_ENVOY_WASM`, else beside the executable, else where cargo
/// puts it below the working directory. The path is absolute.
///
/// # Errors
/// A message that says how to build it.
pub fn find_module(given: Option<PathBuf>) -> Result<PathBuf, String> {
    let given = given.or_else(|| std::env::var_os("PORTKEY_ENVOY_WASM").map(PathBuf::from));
    let candidates = match given {
        Some(path) => vec![path],
        None => {
            let beside = std::env::current_exe().ok().map(|exe| exe.with_file_name(MODULE));
            let built = Path::new("target/wasm32-wasip1/release").join(MODULE);
            beside.into_iter().chain([built]).collect()
        }
    };
    if let Some(found) = candidates.iter().find(|path| path.is_file()) {
        return match is_wasm(found) {
            true => std::path::absolute(found).map_err(|error| error.to_string()),
            false => Err(format!("{} is no WebAssembly module", found.display())),
        };
    }
    let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(format!(
        "no module at {}; build it with: cargo build --release --lib --target wasm32-wasip1",
        tried.join(" or ")
    ))
}

fn is_wasm(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\0asm"
}

/// The certificates to trust: `$SSL_CERT_FILE`, else the system's bundle. The path is absolute.
///
/// # Errors
/// A message that says what to set.
pub fn find_trusted_ca() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from) {
        return match path.is_file() {
            true => std::path::absolute(path).map_err(|error| error.to_string()),
            false => Err(format!("SSL_CERT_FILE: {} is no file", path.display())),
        };
    }
    let found = CA_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());
    found.ok_or_else(|| {
        "no CA certificates found on this system: set SSL_CERT_FILE to a PEM file".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_stale_secrets_go() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("new/out");
        write_all(&directory, &[file("a", "1"), file("secrets/x.json", "2")]).unwrap();
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(SECRETS)), 0o700);
        assert_eq!(mode(&directory.join("a")), 0o600);
        assert_eq!(mode(&directory.join("secrets/x.json")), 0o600);
        // A leftover that everybody may read does not stay so.
        fs::write(directory.join("a.new"), "").unwrap();
        write_all(&directory, &[file("a", "3"), file("secrets/y.json", "4")]).unwrap();
        assert_eq!(fs::read_to_string(directory.join("a")).unwrap(), "3");
        assert_eq!(mode(&directory.join("a")), 0o600);
        assert!(!directory.join("secrets/x.json").exists() && !directory.join("a.new").exists());
        assert!(directory.join("secrets/y.json").exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let base = tempfile::tempdir().unwrap();
        let error = replace(base.path(), &file("no/such/file", "")).unwrap_err();
        assert!(error.to_string().contains("no/such/file"), "{error}");
    }

    #[test]
    fn a_module_that_is_not_there_is_an_error_with_the_cure() {
        let error = find_module(Some(PathBuf::from("/nonexistent.wasm"))).unwrap_err();
        assert_eq!(
            error,
            "no module at /nonexistent.wasm; build it with: \
             cargo build --release --lib --target wasm32-wasip1"
        );
        let text = tempfile::NamedTempFile::new().unwrap();
        fs::write(&text, "(module)").unwrap();
        let error = find_module(Some(text.path().to_owned())).unwrap_err();
        assert_eq!(error, format!("{} is no WebAssembly module", text.path().display()));
    }
}
