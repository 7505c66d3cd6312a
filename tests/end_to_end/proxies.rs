//! Proxies before the source that spread the statements of a session: refused by what they do, before anything is made.

use crate::support::balancer::{Balancer, Spread};
use crate::support::ferry::{Said, command, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

async fn ferry(line: &[&str]) -> Said {
    let child = command(line).spawn().unwrap();
    tokio::task::spawn_blocking(move || finish(child)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_spreads_statements_is_refused_and_one_of_whole_sessions_is_welcome() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT NOT NULL PRIMARY KEY);\nINSERT INTO t VALUES (1), (2);\n").await;
    let to = PostgresDatabase::create("").await;
    let user = format!("b_{}", from.name);
    from.run(&format!("CREATE USER '{user}'@'%';\nGRANT ALL ON *.* TO '{user}'@'%';\n")).await;
    for (spread, why) in [
        (Spread::Statements, "two statements of one connection are served by different sessions of the server"),
        (Spread::Reads, "within a transaction than outside of one"),
    ] {
        let balancer = Balancer::before(&from.url, spread).await;
        let source = balancer.url(&from.url, &user);
        for command in [&["run"][..], &["plan"], &["run", "--resume"]] {
            let line = [&command[..1], &[&source, &to.url], &command[1..]].concat();
            ferry(&line).await.code(2).complains(&["is a proxy that spreads statements", why, "Connect to one server itself"]);
        }
        assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    }
    let balancer = Balancer::before(&from.url, Spread::Nothing).await;
    let said = ferry(&["run", &balancer.url(&from.url, &user), &to.url]).await.code(0).prints(&["Proven by digest"]);
    assert!(said.words().contains("share one instant"), "{}", said.out);
    from.run(&format!("DROP USER '{user}'@'%';")).await;
    from.drop().await;
    to.drop().await;
}
