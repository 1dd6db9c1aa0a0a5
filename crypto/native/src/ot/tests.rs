//! Both parties against each other, and a cheating receiver against an honest sender.
use super::base::{self, Receiver, FUNCTION_BYTES, RECEIVER_DRAW, SENDER_DRAW};
use super::extension::{self, Message, Shape};
use super::*;
use crate::batch::Backend;
use crate::errors::Error;
use crate::field;
use crate::prg::Prg;

const LABEL: &str = "test transfer";

fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Portable, Backend::detect()];
    all.dedup();
    all
}

fn draw(seed: u128, length: usize) -> Vec<u8> {
    let mut blocks = vec![0; length.div_ceil(16)];
    Prg::new(seed).fill(&mut blocks);
    let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.to_le_bytes()).collect();
    bytes[..length].to_vec()
}

fn base_transfers(backend: Backend, seed: u128) -> (Pairs, Chosen) {
    let (receiver, message) =
        Receiver::start(backend, LABEL, b"session", Some(&draw(seed, RECEIVER_DRAW))).unwrap();
    let (pairs, reply) =
        base::send(backend, LABEL, b"session", &message, Some(&draw(seed + 1, SENDER_DRAW))).unwrap();
    let chosen = receiver.finish(backend, LABEL, &reply.element, &reply.ciphertexts).unwrap();
    (pairs, chosen)
}

/// Pairs and choices without public keys.
fn dealt(seed: u128) -> (Pairs, Chosen) {
    let mut keys = [0; 2 * COUNT + 1];
    Prg::new(seed).fill(&mut keys);
    let pairs = Pairs(std::array::from_fn(|at| [keys[2 * at], keys[2 * at + 1]]));
    let delta = keys[2 * COUNT];
    let chosen = std::array::from_fn(|at| pairs.0[at][(delta >> at & 1) as usize]);
    (pairs, Chosen { delta, keys: chosen })
}

#[test]
fn the_receiver_gets_the_keys_it_chose_and_no_other() {
    let mut seen = Vec::new();
    for backend in backends() {
        let (pairs, chosen) = base_transfers(backend, 10);
        let mut all: Vec<u128> = pairs.keys().concat();
        for (at, pair) in pairs.keys().iter().enumerate() {
            let bit = (chosen.delta() >> at & 1) as usize;
            assert_eq!(chosen.keys()[at], pair[bit]);
            assert_ne!(chosen.keys()[at], pair[1 - bit]);
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2 * COUNT);
        seen.push((*pairs.keys(), chosen.delta()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "the same on every backend");
    let drawn = Receiver::start(Backend::detect(), LABEL, b"", None).unwrap().0.delta();
    assert_ne!(drawn, 0);
}

#[test]
fn another_context_label_or_transcript_gives_other_keys() {
    let backend = Backend::detect();
    let (receiver, message) = Receiver::start(backend, LABEL, b"a", Some(&draw(1, RECEIVER_DRAW))).unwrap();
    let sent = |label, context, message: &[u8]| {
        base::send(backend, label, context, message, Some(&draw(2, SENDER_DRAW))).unwrap()
    };
    let (pairs, reply) = sent(LABEL, b"a", &message);
    let agreed = |pairs: &Pairs, reply: &base::Reply| {
        let chosen = receiver.finish(backend, LABEL, &reply.element, &reply.ciphertexts).unwrap();
        (0..COUNT).filter(|at| pairs.0[*at].contains(&chosen.keys[*at])).count()
    };
    assert_eq!(agreed(&pairs, &reply), COUNT);
    for (label, context) in [(LABEL, &b"b"[..]), ("another", b"a")] {
        let (pairs, reply) = sent(label, context, &message);
        assert_eq!(agreed(&pairs, &reply), 0);
    }
    let mut changed = message.clone();
    changed[5] ^= 1;
    let (pairs, reply) = sent(LABEL, b"a", &changed);
    assert_eq!(agreed(&pairs, &reply), 0, "a bit of one function changes every key");
    let (pairs, mut reply) = sent(LABEL, b"a", &message);
    reply.ciphertexts[77] ^= 1;
    assert_eq!(agreed(&pairs, &reply), 0, "so does a bit of one ciphertext");
}

#[test]
fn what_is_no_encoding_is_refused() {
    for backend in backends() {
        let (receiver, message) =
            Receiver::start(backend, LABEL, b"", Some(&draw(1, RECEIVER_DRAW))).unwrap();
        let send = |message: &[u8]| base::send(backend, LABEL, b"", message, None).map(drop);
        let spoiled = |at: usize, bytes: &[u8]| {
            let mut spoiled = message.clone();
            spoiled[3 * FUNCTION_BYTES + at..][..bytes.len()].copy_from_slice(bytes);
            spoiled
        };
        for bad in [spoiled(48, &[0; 32]), spoiled(48, &[255; 32]), spoiled(112, &[255; 3])] {
            assert!(matches!(send(&bad), Err(Error::Decode(text)) if text.contains("row 3")));
        }
        assert!(matches!(send(&message[1..]), Err(Error::Parameter(_))));
        let (_, reply) = base::send(backend, LABEL, b"", &message, None).unwrap();
        for element in [[0; 32], [255; 32]] {
            let finished = receiver.finish(backend, LABEL, &element, &reply.ciphertexts);
            assert!(matches!(finished, Err(Error::Decode(_))));
        }
        assert!(matches!(receiver.finish(backend, LABEL, &reply.element, &[]), Err(Error::Parameter(_))));
        assert!(matches!(Receiver::start(backend, LABEL, b"", Some(&[1; 9])), Err(Error::Parameter(_))));
    }
}

#[test]
fn every_transfer_and_every_product_of_an_extension_is_right() {
    let (pairs, chosen) = dealt(3);
    for (bits, elements) in [(0, 0), (1, 0), (0, 3), (127, 1), (128, 2), (129, 0), (3472, 249)] {
        let choices: Vec<u8> = draw(5, bits).iter().map(|byte| byte & 1).collect();
        let mut values = vec![0; elements];
        Prg::new(6).fill(&mut values);
        let shape = Shape { bits, elements };
        let (received, message) = extension::receive(&pairs, LABEL, b"x", &choices, &values, None).unwrap();
        let sent = extension::send(&chosen, LABEL, b"x", shape, &message.columns, &message.check).unwrap();
        let (strings, [zeros, ones]) = (received.strings(), sent.strings());
        for (at, choice) in choices.iter().enumerate() {
            let product = if *choice == 1 { chosen.delta() } else { 0 };
            assert_eq!(sent.q[at], received.t[at] ^ product);
            let pair = [zeros[at], ones[at]];
            assert_eq!(strings[at], pair[usize::from(*choice)]);
            assert_ne!(strings[at], pair[1 - usize::from(*choice)]);
        }
        for (at, value) in values.iter().enumerate() {
            assert_eq!(received.c[at], sent.b[at] ^ field::mul(chosen.delta(), *value));
        }
        assert_eq!((received.t.len(), received.c.len()), (bits, elements));
    }
}

fn message_of(pairs: &Pairs, shape: Shape) -> Message {
    let choices: Vec<u8> = draw(5, shape.bits).iter().map(|byte| byte & 1).collect();
    extension::receive(pairs, LABEL, b"x", &choices, &vec![9; shape.elements], Some(&[4; 16])).unwrap().1
}

#[test]
fn a_changed_message_is_caught() {
    let (pairs, chosen) = dealt(3);
    let shape = Shape { bits: 200, elements: 2 };
    let send = |message: &Message, context: &[u8]| {
        extension::send(&chosen, LABEL, context, shape, &message.columns, &message.check).map(drop)
    };
    let row = shape.row_bytes();
    // Whatever changes a column also changes every weight.
    for at in [0, row - 1, row, 77 * row + 20, COUNT * row - 1] {
        let mut message = message_of(&pairs, shape);
        message.columns[at] ^= 1;
        assert!(matches!(send(&message, b"x"), Err(Error::Verification(_))), "byte {at}");
    }
    for at in 0..extension::CHECK_BYTES {
        let mut message = message_of(&pairs, shape);
        message.check[at] ^= 0x10;
        assert!(matches!(send(&message, b"x"), Err(Error::Verification(_))), "check {at}");
    }
    let mut message = message_of(&pairs, shape);
    assert!(send(&message, b"x").is_ok());
    assert!(matches!(send(&message, b"y"), Err(Error::Verification(_))));
    message.check.pop();
    assert!(matches!(send(&message, b"x"), Err(Error::Parameter(_))));
}

/// The best that a receiver can do: put other bits into some columns, compute the check honestly for the
/// rest, and guess the bits of `Delta` in those.
#[test]
fn a_receiver_with_other_bits_in_some_columns_is_caught_unless_it_guesses_delta() {
    let shape = Shape { bits: 128, elements: 0 };
    for cheated in [1usize, 2, 3] {
        let (mut passed, trials) = (0, 400);
        for trial in 0..trials {
            let (pairs, chosen) = dealt(1000 + trial);
            let message = extension::cheat(&pairs, LABEL, b"x", cheated);
            let sent = extension::send(&chosen, LABEL, b"x", shape, &message.columns, &message.check);
            let guessed = chosen.delta() & ((1 << cheated) - 1) == 0;
            assert_eq!(sent.is_ok(), guessed, "it guesses zeros");
            passed += u32::from(sent.is_ok());
        }
        let (expected, trials) = (0.5f64.powi(cheated as i32), trials as f64);
        let deviation = (trials * expected * (1.0 - expected)).sqrt();
        assert!((f64::from(passed) - trials * expected).abs() < 5.0 * deviation);
    }
}

#[test]
#[ignore = "a measurement: cargo test --release measure_ -- --ignored --nocapture"]
fn measure_transfers() {
    let backend = Backend::detect();
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let mut parts = [vec![], vec![], vec![], vec![], vec![]];
    let mut timed = |part: usize, start: std::time::Instant| {
        parts[part].push(start.elapsed().as_secs_f64() * 1e3);
    };
    let now = std::time::Instant::now;
    for _ in 0..21 {
        let start = now();
        let (receiver, message) = Receiver::start(backend, LABEL, b"", None).unwrap();
        timed(0, start);
        let start = now();
        let (pairs, reply) = base::send(backend, LABEL, b"", &message, None).unwrap();
        timed(1, start);
        let start = now();
        let chosen = receiver.finish(backend, LABEL, &reply.element, &reply.ciphertexts).unwrap();
        timed(2, start);
        let shape = Shape { bits: 3472, elements: 249 };
        let (choices, values) = (vec![1; shape.bits], vec![5; shape.elements]);
        let start = now();
        let (received, message) = extension::receive(&pairs, LABEL, b"", &choices, &values, None).unwrap();
        let strings = received.strings();
        timed(3, start);
        let start = now();
        let sent = extension::send(&chosen, LABEL, b"", shape, &message.columns, &message.check).unwrap();
        assert_eq!(sent.strings()[1], strings);
        timed(4, start);
    }
    let [start, send, finish, receive, extend] = parts.map(median);
    println!("base ms: receiver {start:.2} sender {send:.2} receiver {finish:.2}");
    println!("extension ms: receiver {receive:.2} sender {extend:.2}");
}
