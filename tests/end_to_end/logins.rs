//! Passwords that are not in the address, and addresses that would send them in the clear.

use crate::support::ferry::{command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// The address without its password, and the password.
fn parted(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let (login, place) = rest.rsplit_once('@').expect("a login");
    let (user, password) = login.split_once(':').expect("a password");
    (format!("{scheme}://{user}@{place}"), password.to_string())
}

#[tokio::test]
async fn a_password_comes_from_a_command_a_file_or_the_databases_own_files() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);").await;
    let to = PostgresDatabase::create("").await;
    let ((source, read), (target, write)) = (parted(&from.url), parted(&to.url));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write_file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.to_str().expect("the path is UTF-8").to_string()
    };
    write_file("target.password", &format!("{write}\n"));
    let counted = folder.path().join("asked");
    let config = write_file(
        "ferry.toml",
        &format!(
            "[source]\nurl = \"{source}\"\npassword_command = \"echo x >> {}; printf '{read}'\"\n[target]\nurl = \"{target}\"\npassword_file = \"target.password\"\n",
            counted.display()
        ),
    );
    let said = ferry(&["run", "-c", &config]).code(0).prints(&["Proven by digest"]);
    // D15: neither the password nor the command that prints it is in what is said.
    said.never_says(&format!(":{read}@")).never_says("printf");
    let asked = std::fs::read_to_string(&counted).expect("the command ran").lines().count();
    assert!(asked > 1, "the command is called at each connect, and was called {asked} times");

    // What psql and mysql read.
    let home = folder.path().join("home");
    std::fs::create_dir(&home).expect("a home");
    for (name, text) in [(".pgpass", format!("*:*:*:*:{write}\n")), (".my.cnf", format!("[client]\npassword={read}\n"))] {
        let path = home.join(name);
        std::fs::write(&path, text).expect("the file is written");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its rights are set");
    }
    let run = || {
        let mut command = command(&["run", &source, &target, "--if-exists", "drop"]);
        command.env("HOME", &home).env_remove("PGPASSFILE");
        finish(command.spawn().expect("the command starts"))
    };
    run().code(0);
    // A file that others may read is left aside.
    std::fs::set_permissions(home.join(".my.cnf"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("its rights are set");
    run().code(2).complains(&["refused the login"]);

    let both = write_file(
        "both.toml",
        &format!("[source]\nurl = \"{source}\"\npassword_command = \"x\"\npassword_file = \"y\"\n[target]\nurl = \"{target}\"\n"),
    );
    ferry(&["run", "-c", &both]).code(2).complains(&["`[source]` has both `password_command` and `password_file`"]);
    let failing = write_file(
        "failing.toml",
        &format!(
            "[source]\nurl = \"{source}\"\npassword_command = \"echo secret-token; exit 7\"\n[target]\nurl = \"{}\"\n",
            to.url
        ),
    );
    ferry(&["run", "-c", &failing]).code(2).complains(&["the password command for", "Try it by hand"]).never_says("secret-token");
}

#[tokio::test]
async fn a_token_that_has_expired_is_asked_for_once_more() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);").await;
    let to = PostgresDatabase::create("").await;
    let ((source, read), (target, write)) = (parted(&from.url), parted(&to.url));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("ferry.toml");
    let asked = |side: &str| folder.path().join(side).display().to_string();
    // Every fourth word of it is one of yesterday: sessions that open side by side may not get two of them in a row.
    let command = |side: &str, token: &str| {
        let file = asked(side);
        format!("echo x >> {file}; if [ $(($(wc -l < {file}) % 4)) = 1 ]; then echo expired; else echo {token}; fi")
    };
    let text = format!(
        "[source]\nurl = \"{source}\"\npassword_command = \"{}\"\n[target]\nurl = \"{target}\"\npassword_command = \"{}\"\n",
        command("source", &read),
        command("target", &write)
    );
    std::fs::write(&config, text).expect("the file is written");
    let config = config.to_str().expect("the path is UTF-8");
    ferry(&["run", "-c", config, "--jobs", "1"]).code(0).prints(&["Proven by digest"]);
    for side in ["source", "target"] {
        let times = std::fs::read_to_string(asked(side)).expect("the command ran").lines().count();
        assert!(times >= 4, "{side}: asked {times} times");
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for_and_says_how_to_allow_it() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY);").await;
    let to = PostgresDatabase::create("").await;
    // D15: no TLS, no login.
    let source = format!("{}?ssl-mode=verify-identity", from.url);
    ferry(&["run", &source, &to.url]).code(2).complains(&["ssl-ca=FILE", "ssl-mode=required", "ssl-mode=disabled"]);
    let target = format!("{}?sslmode=verify-full", to.url);
    ferry(&["run", &from.url, &target]).code(2).complains(&["sslrootcert=FILE", "sslmode=require", "sslmode=disable"]);
}
