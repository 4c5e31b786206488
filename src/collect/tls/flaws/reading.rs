//! Records that are not as they should be, and what the answers to them say.

use crate::collect::tls::session::pad;
use crate::wire::alert;

/// The blocks of the records that hold no content.
const BLOCKS: usize = 6;

/// A form of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it should be: must be answered.
    Right,
    /// Padded as in SSLv3: the last byte right, the others not.
    OldPadding,
    /// The last byte says that there is no padding, which moves the MAC.
    MovedMac,
    /// The padding is longer than the record.
    TooLong,
    /// A MAC of garbage and padding, without any content.
    NoContent,
    /// The whole record is one right padding, without room for a MAC.
    AllPadding,
}

/// The wrong forms, in the order of [`Readings::wrong`].
pub const WRONG: [Form; 5] = [Form::OldPadding, Form::MovedMac, Form::TooLong, Form::NoContent, Form::AllPadding];

impl Form {
    /// The plaintext: content, MAC and padding.
    pub fn plaintext(self, content: &[u8], mac: &[u8], block: usize) -> Vec<u8> {
        let mut plain = match self {
            Form::TooLong => return vec![0xFF; BLOCKS * block],
            Form::AllPadding => {
                let length = BLOCKS * block;
                return vec![u8::try_from(length - 1).unwrap_or(u8::MAX); length];
            }
            // The garbage has the length of a MAC.
            Form::NoContent => vec![0x4D; mac.len()],
            _ => [content, mac].concat(),
        };
        let end = plain.len();
        pad(&mut plain, block);
        match self {
            Form::OldPadding => {
                let last = plain.len() - 1;
                plain.iter_mut().take(last).skip(end).for_each(|byte| *byte = !*byte);
            }
            Form::MovedMac => plain.iter_mut().last().into_iter().for_each(|byte| *byte = 0),
            _ => {}
        }
        plain
    }
}

/// What came after a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Application data came; then nothing more is read.
    pub data: bool,
    /// The description of the first alert.
    pub alert: Option<u8>,
    /// How it ended.
    pub end: &'static str,
    /// Type and length of each record, where no data came.
    pub records: Vec<(u8, usize)>,
}

impl Response {
    /// What somebody on the path can see of it: alerts are encrypted.
    fn visible(&self) -> (bool, bool, &'static str, &[(u8, usize)]) {
        (self.data, self.alert.is_some(), self.end, &self.records)
    }

    /// In words, for transcripts.
    pub fn words(&self) -> String {
        let name = |description| alert::Alert::fatal(description).name();
        match (self.data, self.alert) {
            (true, _) => "application data".to_owned(),
            (false, Some(alert)) => format!("alert {}, {}", name(alert), self.end),
            (false, None) => format!("no alert, {}", self.end),
        }
    }
}

/// The answers to all forms with one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// To the right record.
    pub right: Response,
    /// In the order of [`WRONG`].
    pub wrong: [Response; 5],
}

/// What the answers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All wrong forms are answered alike.
    Safe,
    /// A flaw, and whether somebody on the path can see it.
    Flaw(&'static str, bool),
    /// Nothing can be said.
    Unclear(String),
}

impl Readings {
    /// Rules 1 to 3 and 5.
    pub fn judge(&self) -> Verdict {
        if !self.right.data {
            return Verdict::Unclear(format!("a right record was answered with {}", self.right.words()));
        }
        let [old_padding, base, too_long, no_content, all_padding] = &self.wrong;
        if old_padding.data {
            return Verdict::Flaw("poodle_tls", true);
        }
        if base.data {
            return Verdict::Flaw("goldendoodle", true);
        }
        let others = [old_padding, too_long, no_content, all_padding];
        let different = others.map(|other| other != base);
        let name = match different {
            [true, true, true, true] => "goldendoodle",
            [true, ..] => "zombie_poodle",
            [_, _, no_content, all_padding] if no_content || all_padding => "zero_length",
            [_, true, ..] => "cbc_oracle_other",
            _ => return Verdict::Safe,
        };
        Verdict::Flaw(name, others.iter().any(|other| other.visible() != base.visible()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(description: u8) -> Response {
        Response { data: false, alert: Some(description), end: "closed", records: vec![(21, 32)] }
    }

    fn data() -> Response {
        Response { data: true, ..Response::default() }
    }

    fn judged(wrong: [Response; 5]) -> Verdict {
        Readings { right: data(), wrong }.judge()
    }

    #[test]
    fn each_pattern_has_its_name() {
        let mac = || alert(20);
        let closed = || Response { end: "closed", ..Response::default() };
        assert_eq!(judged([mac(), mac(), mac(), mac(), mac()]), Verdict::Safe);
        assert_eq!(judged([data(), mac(), mac(), mac(), mac()]), Verdict::Flaw("poodle_tls", true));
        assert_eq!(judged([mac(), data(), mac(), mac(), mac()]), Verdict::Flaw("goldendoodle", true));
        assert_eq!(judged([closed(), mac(), closed(), closed(), closed()]), Verdict::Flaw("goldendoodle", true));
        assert_eq!(judged([closed(), mac(), mac(), mac(), mac()]), Verdict::Flaw("zombie_poodle", true));
        assert_eq!(judged([mac(), mac(), mac(), closed(), mac()]), Verdict::Flaw("zero_length", true));
        assert_eq!(judged([mac(), mac(), mac(), mac(), closed()]), Verdict::Flaw("zero_length", true));
        assert_eq!(judged([mac(), mac(), closed(), mac(), mac()]), Verdict::Flaw("cbc_oracle_other", true));
    }

    #[test]
    fn encrypted_alerts_of_one_size_are_not_seen_on_the_path() {
        let padding = || alert(21);
        let mac = || alert(20);
        let found = judged([padding(), mac(), padding(), mac(), mac()]);
        assert_eq!(found, Verdict::Flaw("zombie_poodle", false));
    }

    #[test]
    fn without_an_answer_to_the_right_record_nothing_is_said() {
        let readings = Readings { right: alert(20), wrong: [(); 5].map(|()| alert(20)) };
        assert!(matches!(readings.judge(), Verdict::Unclear(_)));
    }

    #[test]
    fn the_forms_are_what_they_say() {
        let (content, mac) = (vec![0x61; 12], vec![0x6D; 20]);
        let right = Form::Right.plaintext(&content, &mac, 16);
        assert_eq!((right.len(), &right[32..]), (48, &[15; 16][..]));
        let old = Form::OldPadding.plaintext(&content, &mac, 16);
        assert_eq!((&old[..32], &old[32..47], old[47]), (&right[..32], &[!15_u8; 15][..], 15));
        let moved = Form::MovedMac.plaintext(&content, &mac, 16);
        assert_eq!((&moved[..47], moved[47]), (&right[..47], 0));
        assert_eq!(Form::TooLong.plaintext(&content, &mac, 16), [0xFF; 96]);
        assert_eq!(Form::AllPadding.plaintext(&content, &mac, 16), [0x5F; 96]);
        let none = Form::NoContent.plaintext(&content, &mac, 16);
        assert_eq!((none.len(), none[31], &none[..20]), (32, 11, &[0x4D; 20][..]));
    }
}
