# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the look at the sender's DNS can conclude. The rules themselves are in C(plugins/plugin_utils/_dns/)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    # Before any question
    Code(
        "sender-option-invalid",
        "error",
        "An option that describes the sender or its relay has an invalid value.",
        "Correct the option; a sender is an address such as notifications@social.example.",
    ),
    Code(
        "dns-packages-missing",
        "error",
        "The controller lacks a Python package that the DNS check needs. Without spftrace only SPF is not checked, "
        "which is unknown and fails nothing.",
        "Install it for the Python that runs ansible-playbook, not on the instances.",
    ),
    Code(
        "dns-unanswered",
        "unknown",
        "DNS did not answer, so it is unknown whether a record exists.",
        "If it persists, list name servers that answer the controller in mastodon_smtp_dns_servers (nameservers).",
    ),
    # D: the domains themselves
    Code(
        "from-domain-missing",
        "error",
        "The domain of the From address does not exist in DNS.",
        "Correct the From address, or register the domain.",
        "RFC 5321, section 2.3.5",
    ),
    Code(
        "from-domain-unreachable",
        "error",
        "The From domain has no MX record and no address, so nobody can reply, and receivers may reject its mail.",
        "Publish an MX record.",
        "RFC 5321, section 5.1",
    ),
    Code(
        "from-domain-without-mx",
        "warning",
        "The From domain has no MX record; bounces and replies go to its web server.",
        "Publish an MX record for a host that accepts mail.",
        "RFC 5321, section 5.1",
    ),
    Code(
        "from-domain-null-mx",
        "warning",
        "The From domain has a null MX (it accepts no mail), so receivers may reject it as a sender.",
        "Replace the null MX with a host that accepts mail.",
        "RFC 7505, section 4.2",
    ),
    Code(
        "return-path-null-mx",
        "error",
        "The return-path domain has a null MX, so bounces cannot be delivered and receivers may reject the mail.",
        "Replace the null MX with a host that accepts mail.",
        "RFC 7505, section 4.2",
    ),
    Code(
        "mx-target-unusable",
        "warning",
        "An MX record points to an alias, an IP address or nothing.",
        "Point the MX record to a host name with an A or AAAA record.",
        "RFC 2181, section 10.3",
    ),
    # S: SPF
    Code(
        "spf-missing",
        "error",
        "The domain that receivers check has no SPF record.",
        "Publish one SPF record.",
        "RFC 7208, section 4.5",
    ),
    Code(
        "spf-several",
        "error",
        "There is more than one SPF record; receivers then treat all of them as broken.",
        "Merge them into one.",
        "RFC 7208, section 4.5",
    ),
    Code(
        "spf-syntax",
        "error",
        "The SPF record, or one that it includes, has a syntax error; receivers then ignore it entirely.",
        "Correct the record.",
        "RFC 7208, section 4.6",
    ),
    Code(
        "spf-include-empty",
        "error",
        "The SPF record includes a name that has no SPF record; receivers then treat it as broken.",
        "Remove or correct the include.",
        "RFC 7208, section 5.2",
    ),
    Code(
        "spf-over-limit",
        "error",
        "The SPF record exceeds the lookup limit before the term that allows the relay.",
        "Remove includes that are not needed, or put the relay's include first.",
        "RFC 7208, section 4.6.4",
    ),
    Code(
        "spf-near-limit",
        "warning",
        "The SPF record reaches, or may exceed, the limit of ten lookups (or two empty ones).",
        "Remove includes that are not needed.",
        "RFC 7208, section 4.6.4",
    ),
    Code(
        "spf-relay-refused",
        "error",
        "The SPF record does not allow the relay.",
        "Add the relay's include to the record.",
        "RFC 7208, section 8",
    ),
    Code(
        "spf-relay-neutral",
        "warning",
        "The SPF record is neutral about the relay, which counts as not authenticated.",
        "Add the relay's include to the record.",
        "RFC 7208, section 8.2",
    ),
    Code(
        "spf-include-not-literal",
        "error",
        "The provider requires its include directly in the domain's SPF record, and it is missing.",
        "Add the include to this record.",
    ),
    Code(
        "spf-relay-unproven",
        "unknown",
        "It is unknown whether the SPF record allows the relay.",
        "Set mastodon_smtp_relay_addresses, or a provider or mastodon_smtp_spf_include whose record lists networks.",
    ),
    Code(
        "spf-open",
        "error",
        "The SPF record allows anyone, or a large part of the internet, to send as this domain.",
        "Allow the relay only, and end the record with ~all.",
        "RFC 7208, section 5.1",
    ),
    Code(
        "spf-style",
        "warning",
        "The SPF record has a part that is deprecated or ignored, or is too large.",
        "Clean up the record.",
        "RFC 7208, sections 3.4, 5.1, 5.5 and 6.1",
    ),
    Code(
        "return-path-missing",
        "error",
        "The subdomain that the relay uses for bounces is not set up.",
        "Publish the record that the provider shows for the domain.",
    ),
    Code(
        "return-path-elsewhere",
        "error",
        "The subdomain that the relay uses for bounces points elsewhere.",
        "Point it to the provider.",
    ),
    Code(
        "return-path-unknown",
        "unknown",
        "The subdomain that the relay uses for bounces is different for each customer and was not set.",
        "Set mastodon_smtp_bounce_domain to the name that the provider shows.",
    ),
    # K: DKIM
    Code(
        "dkim-without-key",
        "error",
        "No DKIM selector has a usable key, so no signature can be verified.",
        "Publish the DKIM records that the provider shows for the domain.",
        "RFC 6376, section 3.6",
    ),
    Code(
        "dkim-selector-broken",
        "warning",
        "One of several DKIM selectors has no usable key; mail signed with it fails.",
        "Publish the DKIM record that the provider shows for this selector.",
        "RFC 6376, section 3.6",
    ),
    Code(
        "dkim-key-short",
        "error",
        "The DKIM key is shorter than receivers accept.",
        "Make a new key of 2048 bits at the provider and publish it.",
        "RFC 8301, section 3.2",
    ),
    Code(
        "dkim-key-testing",
        "warning",
        "The DKIM key is marked as a test key (t=y); receivers treat the mail as unsigned.",
        "Remove t=y from the record.",
        "RFC 6376, section 3.6.1",
    ),
    Code(
        "dkim-elsewhere",
        "info",
        "A DKIM selector's CNAME points outside the provider's zone.",
        "Compare it with what the provider shows.",
    ),
    Code(
        "dkim-selectors-unknown",
        "unknown",
        "The DKIM selectors of this provider are different for each customer and were not set.",
        "Set mastodon_smtp_dkim_selectors to the names that the provider shows (the part before ._domainkey).",
    ),
    # M: DMARC
    Code(
        "dmarc-missing",
        "warning",
        "There is no DMARC record; large receivers require one from bulk senders.",
        "Publish one; p=none does not affect the mail you send today.",
        "RFC 9989; Gmail and Microsoft sender guidelines",
    ),
    Code(
        "dmarc-several",
        "warning",
        "There is more than one DMARC record at one name; receivers then ignore all of them.",
        "Keep one.",
        "RFC 9989, tree walk",
    ),
    Code(
        "dmarc-invalid",
        "warning",
        "Part of the DMARC record is invalid and ignored.",
        "Correct the record.",
        "RFC 9989",
    ),
    Code(
        "dmarc-policy",
        "info",
        "The DMARC policy that receivers apply to this From address.",
        "Nothing to do.",
        "RFC 9989",
    ),
    Code(
        "dmarc-unaligned",
        "warning",
        "Neither SPF nor DKIM is aligned with the From domain, so every mail fails DMARC.",
        "Set up DKIM for the From domain at the provider.",
        "RFC 9989, identifier alignment",
    ),
    Code(
        "dmarc-alignment-unproven",
        "unknown",
        "It is unknown whether SPF or DKIM is aligned with the From domain.",
        "Set mastodon_smtp_dkim_selectors, and mastodon_smtp_spf_include or mastodon_smtp_relay_addresses.",
        "RFC 9989, identifier alignment",
    ),
    Code(
        "dmarc-without-reports",
        "info",
        "The DMARC record has no report address, so nobody learns what fails.",
        "Add a rua address that a person or a service reads.",
        "RFC 9989; RFC 9990",
    ),
    Code(
        "dmarc-reports-unauthorised",
        "info",
        "DMARC reports go to a domain that has not authorised them, so they are not sent.",
        "Have that domain publish the record, or use a report address in your own domain.",
        "RFC 9990, verifying external destinations",
    ),
    # W: what makes the other answers untrustworthy
    Code(
        "dns-wildcard",
        "warning",
        "A wildcard record answers for every name, so the existence of a record proves nothing.",
        "Remove the wildcard; the other findings judge by content only.",
        "RFC 7208, section 3.5",
    ),
    Code(
        "cname-beside-others",
        "warning",
        "A CNAME shares its name with other records; which of them receivers see is unpredictable.",
        "Keep the CNAME or the other records.",
        "RFC 1034, section 3.6.2",
    ),
)
