//! What is on stable storage: everything that was recorded, at once.

use super::super::common::binding_in;
use super::words::Outcome;
use engine::record::{BindingRecord, EndpointRecord, Record};
use failover::time::Time;
use std::net::Ipv4Addr;

#[derive(Clone, Default)]
pub struct Log {
    pub records: Vec<Vec<u8>>,
    /// How many there were; stamps that were followed by another are not among them any more.
    pub count: u64,
    /// The last record of the endpoint, without the times that pass by themselves.
    last: Option<EndpointRecord>,
}

impl Log {
    /// Appends a record; of a run of stamps the last is kept. Whether it says more than that time has passed.
    pub fn append(&mut self, record: Vec<u8>) -> Outcome<bool> {
        self.count += 1;
        let is_stamp = match Record::decode(&record).map_err(|error| error.to_string())? {
            Record::Endpoint(after) => {
                let after = timeless(after);
                self.last.replace(after.clone()) == Some(after)
            }
            _ => false,
        };
        let follows_another =
            matches!(self.records.last().map(|last| Record::decode(last)), Some(Ok(Record::Endpoint(_))));
        if is_stamp && follows_another {
            self.records.pop();
        }
        self.records.push(record);
        Ok(!is_stamp)
    }

    /// What is recorded of the endpoint.
    pub fn endpoint(&self) -> Option<EndpointRecord> {
        self.records.iter().rev().find_map(|bytes| match Record::decode(bytes) {
            Ok(Record::Endpoint(endpoint)) => Some(endpoint),
            _ => None,
        })
    }

    /// Something of what is recorded of a binding.
    pub fn binding<T>(&self, address: Ipv4Addr, of: impl Fn(&BindingRecord<'_>) -> T) -> Option<T> {
        binding_in(&self.records, address).as_ref().map(of)
    }
}

/// A record of an endpoint without the times that pass by themselves.
fn timeless(mut endpoint: EndpointRecord) -> EndpointRecord {
    (endpoint.last_operation, endpoint.vouched_for, endpoint.alive) = (Time::ZERO, Time::ZERO, Time::ZERO);
    endpoint.heard = None;
    endpoint
}
