//! Personal data: which, and of whom. A register of vendors and a retention schedule use the same words.

use super::words::words;

words! {
    /// Whose data.
    SubjectCategory {
        /// Customers.
        Customer = "customer",
        /// End users.
        EndUser = "end_user",
        /// Visitors of a site.
        Visitor = "visitor",
        /// Employees.
        Employee = "employee",
        /// Candidates.
        Candidate = "candidate",
        /// Children.
        Child = "child",
        /// Patients.
        Patient = "patient",
        /// Business contacts.
        Contact = "contact",
    }
    /// Which data.
    DataCategory {
        /// Who someone is.
        Identity = "identity",
        /// How to reach someone.
        Contact = "contact",
        /// An account.
        Account = "account",
        /// Credentials.
        Credentials = "credentials",
        /// A device.
        Device = "device",
        /// An IP address.
        IpAddress = "ip_address",
        /// Where someone is.
        Location = "location",
        /// What someone does.
        Behavioural = "behavioural",
        /// What someone writes and says.
        CommunicationsContent = "communications_content",
        /// Money.
        Financial = "financial",
        /// Payment cards.
        PaymentCard = "payment_card",
        /// Identifiers that a state issued.
        GovernmentId = "government_id",
        /// Work.
        Employment = "employment",
        /// Education.
        Education = "education",
        /// Pictures.
        PhotoVideo = "photo_video",
        /// Data of children.
        Children = "children",
        /// Art. 9: racial or ethnic origin.
        RacialEthnic = "special.racial_ethnic",
        /// Art. 9: political opinions.
        Political = "special.political",
        /// Art. 9: beliefs.
        Religious = "special.religious",
        /// Art. 9: trade union membership.
        TradeUnion = "special.trade_union",
        /// Art. 9: genetic data.
        Genetic = "special.genetic",
        /// Art. 9: biometric data.
        Biometric = "special.biometric",
        /// Art. 9: health.
        Health = "special.health",
        /// Art. 9: sex life and orientation.
        SexLifeOrientation = "special.sex_life_orientation",
        /// Art. 10: convictions and offences.
        Criminal = "criminal",
        /// Protected health information (HIPAA).
        Phi = "phi",
    }
}

impl DataCategory {
    /// Special categories of Art. 9.
    pub fn is_special(self) -> bool {
        self.word().starts_with("special.")
    }

    /// Categories whose processing needs security terms that were read: Art. 9, Art. 10, HIPAA.
    pub fn is_grave(self) -> bool {
        self.is_special() || matches!(self, DataCategory::Criminal | DataCategory::Phi)
    }

    /// The categories over which the headline of coverage is taken.
    pub fn is_sensitive(self) -> bool {
        use DataCategory::{Children, GovernmentId, PaymentCard};
        self.is_grave() || matches!(self, Children | GovernmentId | PaymentCard)
    }

    /// The weight of a vendor that holds it.
    pub fn weight(self) -> u64 {
        use DataCategory::{
            Children, CommunicationsContent, Credentials, Financial, GovernmentId, Location, PaymentCard,
        };
        match self {
            category if category.is_grave() => 5,
            Children | GovernmentId | PaymentCard | Credentials => 4,
            Financial | CommunicationsContent | Location => 3,
            _ => 1,
        }
    }
}
