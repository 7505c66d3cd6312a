//! Small messages go out at once.
//!
//! The driver opens its TCP sockets without `TCP_NODELAY` (sqlx 0.9), and hands none of them out. So the second of two small messages, the
//! end of a COPY for example, waits until the server's kernel has acknowledged the first, which it puts off for 40 ms: with 500 small tables
//! that was two thirds of a run. The option is set on a duplicate of the socket, found among the process's own by the server's port; on
//! a socket of somebody else it would do no harm.

/// Sets the option on all sockets of this process that are connected to that port. Where there is no /proc, nothing happens.
pub fn set_on_sockets_to(port: u16) {
    #[cfg(target_os = "linux")]
    linux::set_on_sockets_to(port);
    #[cfg(not(target_os = "linux"))]
    let _ = port;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::net::TcpStream;
    use std::os::fd::{BorrowedFd, OwnedFd};

    pub(super) fn set_on_sockets_to(port: u16) {
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
        for entry in open.flatten() {
            let is_socket = std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
            let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(duplicate) = number.filter(|_| is_socket).and_then(duplicate) else { continue };
            let socket = TcpStream::from(duplicate);
            if socket.peer_addr().is_ok_and(|peer| peer.port() == port) {
                // A socket that has just been closed does not mind.
                let _ = socket.set_nodelay(true);
            }
        }
    }

    /// None for one that has been closed meanwhile.
    #[expect(unsafe_code, reason = "the driver lends its socket to nobody, and there is no other way to it")]
    fn duplicate(number: i32) -> Option<OwnedFd> {
        // SAFETY: the number was that of an open socket a moment ago, and is used for nothing but one `dup`, which fails for one that is closed
        // by now. Its owner is not disturbed.
        unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    #[test]
    #[cfg(target_os = "linux")]
    fn sockets_to_a_port_get_the_option_and_others_do_not() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let to = |listener: &TcpListener| TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (first, second) = (to(&one), to(&other));
        super::set_on_sockets_to(one.local_addr().unwrap().port());
        assert!(first.nodelay().unwrap());
        assert!(!second.nodelay().unwrap());
    }
}
