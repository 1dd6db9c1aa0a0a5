use super::*;

const CONTEXT: &[u8] = b"context";

/// What a trusted dealer gives: strings and shares of both.
struct Dealt {
    delta: u128,
    strings: [Vec<u128>; 2],
    b: Vec<u128>,
    chosen: Vec<u128>,
    c: Vec<u128>,
}

fn deal(receiver: &Receiver) -> Dealt {
    let mut prg = Prg::new(11);
    let mut random = |n: usize| {
        let mut out = vec![0; n];
        prg.fill(&mut out);
        out
    };
    let delta = random(1)[0];
    let choices = receiver.choices();
    let strings = [random(choices.len()), random(choices.len())];
    let chosen = choices.iter().enumerate().map(|(at, side)| strings[usize::from(*side)][at]).collect();
    let b = random(receiver.elements().len());
    let c = receiver.elements().iter().zip(&b).map(|(v, b)| field::mul(delta, *v) ^ b).collect();
    Dealt { delta, strings, b, chosen, c }
}

fn begin(count: usize) -> (Receiver, Dealt, Sender, Vec<u8>) {
    let receiver = Receiver::new(count, CONTEXT, &[7; 32]).unwrap();
    let dealt = deal(&receiver);
    let strings = dealt.strings.each_ref().map(|strings| &strings[..]);
    let (sender, message) = Sender::expand(count, CONTEXT, &[8; 32], dealt.delta, strings, &dealt.b).unwrap();
    (receiver, dealt, sender, message)
}

#[test]
fn the_correlation_holds_on_every_row() {
    for count in [1, 2, 15_999, 16_000, 16_001, 16_125, 20_000, 70_000] {
        let (mut receiver, dealt, sender, message) = begin(count);
        let challenge = receiver.puncture(&dealt.chosen, &dealt.c, &message).unwrap();
        let answer = sender.answer(challenge[..].try_into().unwrap());
        receiver.verify(&answer).unwrap();
        let (received, sent) = (receiver.finish().unwrap(), sender.finish());
        let (a, b, c) = (received.a(), sent.b(), received.c());
        assert_eq!([a.len(), b.len(), c.len()], [count; 3]);
        assert_eq!(sent.delta(), dealt.delta);
        for ((a, b), c) in a.iter().zip(b).zip(c) {
            assert_eq!(*c, field::mul(dealt.delta, *a) ^ b);
        }
        let mut distinct = a.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), count);
    }
}

#[test]
fn a_changed_byte_is_noticed_or_changes_nothing() {
    let (_, dealt, sender, message) = begin(1);
    let tree_bytes = (message.len() - SALT_BYTES) / NOISE;
    for at in [0, SALT_BYTES - 1].into_iter().chain((SALT_BYTES..message.len()).step_by(7 * tree_bytes / 13))
    {
        let mut receiver = Receiver::new(1, CONTEXT, &[7; 32]).unwrap();
        let mut changed = message.clone();
        changed[at] ^= 1;
        let challenge = receiver.puncture(&dealt.chosen, &dealt.c, &changed).unwrap();
        let answer = sender.answer(challenge[..].try_into().unwrap());
        // The side of a level that was not asked for is not looked at: all else is.
        let block = (at - SALT_BYTES.min(at)) % tree_bytes / BLOCK_BYTES;
        let tree = (at - SALT_BYTES.min(at)) / tree_bytes;
        let level = block / 2;
        let depth = receiver.params.depth();
        let ignored = at >= SALT_BYTES
            && level < depth
            && usize::from(receiver.choices()[tree * depth + level]) != block % 2;
        assert_eq!(receiver.verify(&answer).is_ok(), ignored, "{at}");
    }
}

#[test]
fn a_wrong_answer_or_challenge_ends_it() {
    let (mut receiver, dealt, sender, message) = begin(1);
    let mut challenge = receiver.puncture(&dealt.chosen, &dealt.c, &message).unwrap();
    assert!(receiver.puncture(&dealt.chosen, &dealt.c, &message).is_err());
    challenge[20] ^= 1;
    let answer = sender.answer(challenge[..].try_into().unwrap());
    assert!(receiver.verify(&answer).is_err());
    assert!(receiver.verify(&receiver.expected.clone()).is_err(), "a failure is final");
    assert!(receiver.finish().is_err());
}

#[test]
fn sizes_are_held_to() {
    assert!(Params::new(0).is_err());
    assert!(Params::new(usize::MAX / 4).is_err());
    let (mut receiver, dealt, _, message) = begin(1);
    assert!(receiver.puncture(&dealt.chosen, &dealt.c, &message[1..]).is_err());
    assert!(receiver.puncture(&dealt.chosen[1..], &dealt.c, &message).is_err());
    assert!(receiver.puncture(&dealt.chosen, &dealt.c[1..], &message).is_err());
}

/// Pearson's statistic of 250 places in each of 400 draws over 32 cells: mean 31, deviation 7.9; 80 has a
/// chance below 1e-5.
#[test]
fn places_are_uniform() {
    let mut cells = [0_f64; 32];
    for draw in 0..400_u16 {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&draw.to_le_bytes());
        for hole in &Receiver::new(1, CONTEXT, &seed).unwrap().holes {
            cells[hole * 32 / LEAST_LEAVES] += 1.0;
        }
    }
    let expected = 400.0 * NOISE as f64 / 32.0;
    let statistic: f64 = cells.iter().map(|seen| (seen - expected).powi(2) / expected).sum();
    assert!(statistic < 80.0, "{statistic}");
}

#[test]
fn powers_are_powers() {
    let powers = Powers::new(0x1234_5678_9abc);
    let elements: Vec<u128> = (1..3000).map(|i| i * i + 7).collect();
    let mut power = 1;
    let mut want = 0;
    for element in &elements {
        power = field::mul(power, powers.point);
        want ^= field::mul(power, *element);
    }
    assert_eq!(powers.inner(&elements), want);
    assert_eq!(powers.at(elements.len()), power);
}
