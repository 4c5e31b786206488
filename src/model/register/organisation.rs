//! The organisation that keeps the register.

use super::transfer::Regime;
use super::words::{Country, Presence, zone};
use crate::model::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The organisation, as the register or the top of `probity.yaml` says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organisation {
    /// Its name.
    pub name: Option<String>,
    /// Its roles in relation to the customer data examined.
    pub role: Option<BTreeSet<OrganisationRole>>,
    /// Which transfer laws apply to data that leaves.
    pub exporter_regimes: Option<BTreeSet<Regime>>,
    /// Where it is established.
    pub country: Option<Country>,
    /// The calendar in which days are counted; UTC where absent.
    #[serde(deserialize_with = "zone")]
    pub time_zone: Option<String>,
    /// Its role under HIPAA; none where absent.
    pub hipaa: Option<Hipaa>,
    /// Its role under PCI DSS; none where absent.
    pub pci: Option<Pci>,
    /// The data protection officer (Art. 37).
    pub dpo: Option<OwnDpo>,
}

/// The organisation's own data protection officer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnDpo {
    /// Whether Art. 37 asks for one.
    pub required: Option<bool>,
    /// Whether a name is on file.
    pub name: Presence,
    /// Whether an address is on file.
    pub email: Presence,
    /// Where the contact is published.
    pub published_url: Option<String>,
}

words! {
    /// What the organisation is to the data examined.
    OrganisationRole {
        /// It decides why and how.
        Controller = "controller",
        /// It decides together with another.
        JointController = "joint_controller",
        /// It works for a controller.
        Processor = "processor",
    }
    /// A role under HIPAA.
    Hipaa {
        /// Outside HIPAA.
        None = "none",
        /// A covered entity.
        CoveredEntity = "covered_entity",
        /// A business associate.
        BusinessAssociate = "business_associate",
    }
    /// A role under PCI DSS.
    Pci {
        /// No card data.
        None = "none",
        /// A merchant.
        Merchant = "merchant",
        /// A service provider.
        ServiceProvider = "service_provider",
    }
}
