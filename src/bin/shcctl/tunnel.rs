//! TLS for a client that only knows plain sockets: what it writes into one end of a socket pair leaves encrypted.
//!
//! Two threads carry the bytes, one for each direction, for as long as the connection lives.

use rustls::ClientConnection;
use shardcache::cluster::tls_options;
use shardcache::config::{ServerSpec, TlsSpec};
use shardcache::wire::Tls;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const ROOM: usize = 16 * 1024;

/// Makes the handshake with the server behind `stream`; the returned stream is the plain end.
pub fn through(mut stream: TcpStream, server: &ServerSpec, spec: &TlsSpec) -> io::Result<TcpStream> {
    let tls = Tls::new(&tls_options(spec, &server.addr)).map_err(io::Error::other)?;
    let mut session = tls.session().map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let (near, far) = UnixStream::pair()?;
    let session = Arc::new(Mutex::new(session));
    let (out, plain, shared) = (stream.try_clone()?, far.try_clone()?, session.clone());
    thread::spawn(move || drop(encrypt(plain, out, &shared)));
    thread::spawn(move || drop(decrypt(stream, far, &session)));
    Ok(TcpStream::from(OwnedFd::from(near)))
}

fn encrypt(mut plain: UnixStream, mut out: TcpStream, session: &Mutex<ClientConnection>) -> io::Result<()> {
    let mut room = [0; ROOM];
    loop {
        let count = plain.read(&mut room)?;
        if count == 0 {
            return out.shutdown(Shutdown::Both);
        }
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        session.writer().write_all(&room[..count])?;
        while session.wants_write() {
            session.write_tls(&mut out)?;
        }
    }
}

fn decrypt(mut stream: TcpStream, mut plain: UnixStream, session: &Mutex<ClientConnection>) -> io::Result<()> {
    let mut room = [0; ROOM];
    loop {
        let count = stream.read(&mut room)?;
        if count == 0 {
            return plain.shutdown(Shutdown::Both);
        }
        let text =
            opened(&room[..count], &mut stream, session).inspect_err(|_| drop(plain.shutdown(Shutdown::Both)))?;
        plain.write_all(&text)?;
    }
}

/// The plain text of some encrypted bytes; answers what TLS itself wants answered.
fn opened(mut secret: &[u8], stream: &mut TcpStream, session: &Mutex<ClientConnection>) -> io::Result<Vec<u8>> {
    let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = Vec::new();
    while !secret.is_empty() {
        session.read_tls(&mut secret)?;
        session.process_new_packets().map_err(io::Error::other)?;
        match session.reader().read_to_end(&mut text) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    while session.wants_write() {
        session.write_tls(stream)?;
    }
    Ok(text)
}
