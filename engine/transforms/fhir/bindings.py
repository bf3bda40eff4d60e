"""Which codes the required bindings of R4 allow, by type and element.

Only elements of type ``code``; bindings to languages, currencies, media types and the
like are left out. A backbone element is named after its place, as in `definitions`.

Spec:
    FHIR R4 (4.0.1), structure definitions and the value sets they bind.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BOUND: Final = (
    ("Account.status", "active entered-in-error inactive on-hold unknown"),
    ("Address.type", "both physical postal"),
    ("Address.use", "billing home old temp work"),
    ("AdverseEvent.actuality", "actual potential"),
    (
        "Age.comparator Count.comparator Distance.comparator Duration.comparator Quantity.comparator",
        "< <= > >=",
    ),
    ("AllergyIntolerance.category", "biologic environment food medication"),
    ("AllergyIntolerance.criticality", "high low unable-to-assess"),
    ("AllergyIntolerance.type", "allergy intolerance"),
    ("AllergyIntoleranceReaction.severity", "mild moderate severe"),
    (
        "Appointment.status",
        "arrived booked cancelled checked-in entered-in-error fulfilled noshow pending proposed waitlist",
    ),
    ("AppointmentParticipant.required", "information-only optional required"),
    (
        "AppointmentParticipant.status AppointmentResponse.participantStatus",
        "accepted declined needs-action tentative",
    ),
    ("AuditEvent.action", "C D E R U"),
    ("AuditEvent.outcome", "0 12 4 8"),
    ("AuditEventAgentNetwork.type", "1 2 3 4 5"),
    (
        "Bundle.type",
        "batch batch-response collection document history message searchset transaction transaction-response",
    ),
    ("BundleEntryRequest.method", "DELETE GET HEAD PATCH POST PUT"),
    ("BundleEntrySearch.mode", "include match outcome"),
    ("CarePlan.intent", "option order plan proposal"),
    (
        "CarePlan.status CommunicationRequest.status DeviceRequest.status NutritionOrder.status RequestGroup.status ServiceRequest.status",
        "active completed draft entered-in-error on-hold revoked unknown",
    ),
    (
        "CarePlanActivityDetail.kind",
        "Appointment CommunicationRequest DeviceRequest MedicationRequest NutritionOrder ServiceRequest Task VisionPrescription",
    ),
    (
        "CarePlanActivityDetail.status",
        "cancelled completed entered-in-error in-progress not-started on-hold scheduled stopped unknown",
    ),
    ("CareTeam.status", "active entered-in-error inactive proposed suspended"),
    (
        "CatalogEntry.status InsurancePlan.status Library.status Questionnaire.status",
        "active draft retired unknown",
    ),
    ("CatalogEntryRelatedEntry.relationtype", "is-replaced-by triggers"),
    (
        "ChargeItem.status",
        "aborted billable billed entered-in-error not-billable planned unknown",
    ),
    (
        "Claim.status ClaimResponse.status Coverage.status CoverageEligibilityRequest.status CoverageEligibilityResponse.status EnrollmentRequest.status EnrollmentResponse.status ExplanationOfBenefit.status PaymentNotice.status PaymentReconciliation.status VisionPrescription.status",
        "active cancelled draft entered-in-error",
    ),
    (
        "Claim.use ClaimResponse.use ExplanationOfBenefit.use",
        "claim preauthorization predetermination",
    ),
    (
        "ClaimResponse.outcome CoverageEligibilityResponse.outcome EnrollmentResponse.outcome ExplanationOfBenefit.outcome PaymentReconciliation.outcome",
        "complete error partial queued",
    ),
    (
        "ClaimResponseProcessNote.type ExplanationOfBenefitProcessNote.type PaymentReconciliationProcessNote.type",
        "display print printoper",
    ),
    ("ClinicalImpression.status", "completed entered-in-error in-progress"),
    (
        "Communication.priority CommunicationRequest.priority DeviceRequest.priority MedicationRequest.priority RequestGroupAction.priority RequestGroup.priority ServiceRequest.priority SupplyRequest.priority Task.priority",
        "asap routine stat urgent",
    ),
    (
        "Communication.status Media.status Procedure.status",
        "completed entered-in-error in-progress not-done on-hold preparation stopped unknown",
    ),
    ("Composition.confidentiality", "L M N R U V"),
    (
        "Composition.status DocumentReference.docStatus",
        "amended entered-in-error final preliminary",
    ),
    ("CompositionAttester.mode", "legal official personal professional"),
    (
        "CompositionRelatesTo.code DocumentReferenceRelatesTo.code",
        "appends replaces signs transforms",
    ),
    ("CompositionSection.mode List.mode", "changes snapshot working"),
    ("Consent.status", "active draft entered-in-error inactive proposed rejected"),
    ("ConsentProvision.type", "deny permit"),
    ("ConsentProvisionData.meaning", "authoredby dependents instance related"),
    ("ContactPoint.system", "email fax other pager phone sms url"),
    ("ContactPoint.use", "home mobile old temp work"),
    (
        "ContractContentDefinition.publicationStatus Contract.status",
        "amended appended cancelled disputed entered-in-error executable executed negotiable offered policy rejected renewed resolved revoked terminated",
    ),
    ("Contributor.type", "author editor endorser reviewer"),
    (
        "CoverageEligibilityRequest.purpose CoverageEligibilityResponse.purpose",
        "auth-requirements benefits discovery validation",
    ),
    ("DataRequirementSort.direction", "ascending descending"),
    ("DetectedIssue.severity", "high low moderate"),
    ("DetectedIssue.status", "entered-in-error final mitigated preliminary"),
    ("Device.status", "active entered-in-error inactive unknown"),
    (
        "DeviceDeviceName.type",
        "manufacturer-name model-name other patient-reported-name udi-label-name user-friendly-name",
    ),
    ("DeviceMetric.category", "calculation measurement setting unspecified"),
    ("DeviceMetric.color", "black blue cyan green magenta red white yellow"),
    ("DeviceMetric.operationalStatus", "entered-in-error off on standby"),
    (
        "DeviceMetricCalibration.state",
        "calibrated calibration-required not-calibrated unspecified",
    ),
    ("DeviceMetricCalibration.type", "gain offset two-point unspecified"),
    (
        "DeviceRequest.intent NutritionOrder.intent RequestGroup.intent ServiceRequest.intent",
        "directive filler-order instance-order option order original-order plan proposal reflex-order",
    ),
    ("DeviceUdiCarrier.entryType", "barcode card manual rfid self-reported unknown"),
    (
        "DeviceUseStatement.status",
        "active completed entered-in-error intended on-hold stopped",
    ),
    (
        "DiagnosticReport.status",
        "amended appended cancelled corrected entered-in-error final partial preliminary registered unknown",
    ),
    (
        "DocumentManifest.status DocumentReference.status",
        "current entered-in-error superseded",
    ),
    (
        "Encounter.status EncounterStatusHistory.status",
        "arrived cancelled entered-in-error finished in-progress onleave planned triaged unknown",
    ),
    ("EncounterLocation.status", "active completed planned reserved"),
    ("Endpoint.status", "active entered-in-error error off suspended test"),
    (
        "EpisodeOfCare.status EpisodeOfCareStatusHistory.status",
        "active cancelled entered-in-error finished onhold planned waitlist",
    ),
    ("FamilyMemberHistory.status", "completed entered-in-error health-unknown partial"),
    (
        "Flag.status Medication.status MedicationKnowledge.status Substance.status",
        "active entered-in-error inactive",
    ),
    (
        "Goal.lifecycleStatus",
        "accepted active cancelled completed entered-in-error on-hold planned proposed rejected",
    ),
    ("Group.type", "animal device medication person practitioner substance"),
    (
        "GuidanceResponse.status",
        "data-requested data-required entered-in-error failure in-progress success",
    ),
    (
        "HealthcareServiceAvailableTime.daysOfWeek LocationHoursOfOperation.daysOfWeek PractitionerRoleAvailableTime.daysOfWeek TimingRepeat.dayOfWeek",
        "fri mon sat sun thu tue wed",
    ),
    ("HumanName.use", "anonymous maiden nickname official old temp usual"),
    ("Identifier.use", "official old secondary temp usual"),
    ("ImagingStudy.status", "available cancelled entered-in-error registered unknown"),
    ("Immunization.status", "completed entered-in-error not-done"),
    ("ImmunizationEvaluation.status", "completed entered-in-error"),
    ("Invoice.status", "balanced cancelled draft entered-in-error issued"),
    (
        "InvoiceLineItemPriceComponent.type",
        "base deduction discount informational surcharge tax",
    ),
    ("LinkageItem.type", "alternate historical source"),
    ("List.status", "current entered-in-error retired"),
    ("Location.mode", "instance kind"),
    ("Location.status", "active inactive suspended"),
    ("MeasureReport.status", "complete error pending"),
    ("MeasureReport.type", "data-collection individual subject-list summary"),
    (
        "MedicationAdministration.status",
        "completed entered-in-error in-progress not-done on-hold stopped unknown",
    ),
    (
        "MedicationDispense.status",
        "cancelled completed declined entered-in-error in-progress on-hold preparation stopped unknown",
    ),
    (
        "MedicationRequest.intent",
        "filler-order instance-order option order original-order plan proposal reflex-order",
    ),
    (
        "MedicationRequest.status",
        "active cancelled completed draft entered-in-error on-hold stopped unknown",
    ),
    (
        "MedicationStatement.status",
        "active completed entered-in-error intended not-taken on-hold stopped unknown",
    ),
    ("MessageHeaderResponse.code", "fatal-error ok transient-error"),
    ("Narrative.status", "additional empty extensions generated"),
    (
        "Observation.status RiskAssessment.status",
        "amended cancelled corrected entered-in-error final preliminary registered unknown",
    ),
    (
        "OperationOutcomeIssue.code",
        "business-rule code-invalid conflict deleted duplicate exception expired extension forbidden incomplete informational invalid invariant lock-error login multiple-matches no-store not-found not-supported processing required security structure suppressed throttled timeout too-costly too-long transient unknown value",
    ),
    ("OperationOutcomeIssue.severity", "error fatal information warning"),
    ("ParameterDefinition.use", "in out"),
    (
        "PatientContact.gender Patient.gender Person.gender Practitioner.gender RelatedPerson.gender",
        "female male other unknown",
    ),
    ("PatientLink.type", "refer replaced-by replaces seealso"),
    ("PersonLink.assurance", "level1 level2 level3 level4"),
    ("ProvenanceEntity.role", "derivation quotation removal revision source"),
    ("QuestionnaireItem.enableBehavior", "all any"),
    (
        "QuestionnaireItem.type",
        "attachment boolean choice date dateTime decimal display group integer open-choice quantity question reference string text time url",
    ),
    ("QuestionnaireItemEnableWhen.operator", "!= < <= = > >= exists"),
    (
        "QuestionnaireResponse.status",
        "amended completed entered-in-error in-progress stopped",
    ),
    (
        "RelatedArtifact.type",
        "citation composed-of depends-on derived-from documentation justification predecessor successor",
    ),
    ("RequestGroupAction.cardinalityBehavior", "multiple single"),
    (
        "RequestGroupAction.groupingBehavior",
        "logical-group sentence-group visual-group",
    ),
    ("RequestGroupAction.precheckBehavior", "no yes"),
    ("RequestGroupAction.requiredBehavior", "could must must-unless-documented"),
    (
        "RequestGroupAction.selectionBehavior",
        "all all-or-none any at-most-one exactly-one one-or-more",
    ),
    ("RequestGroupActionCondition.kind", "applicability start stop"),
    (
        "RequestGroupActionRelatedAction.relationship",
        "after after-end after-start before before-end before-start concurrent concurrent-with-end concurrent-with-start",
    ),
    (
        "ResearchStudy.status",
        "active administratively-completed approved closed-to-accrual closed-to-accrual-and-intervention completed disapproved in-review temporarily-closed-to-accrual temporarily-closed-to-accrual-and-intervention withdrawn",
    ),
    (
        "ResearchSubject.status",
        "candidate eligible follow-up ineligible not-registered off-study on-study on-study-intervention on-study-observation pending-on-study potential-candidate screening withdrawn",
    ),
    ("Slot.status", "busy busy-tentative busy-unavailable entered-in-error free"),
    ("Specimen.status", "available entered-in-error unavailable unsatisfactory"),
    ("Subscription.status", "active error off requested"),
    ("SubscriptionChannel.type", "email message rest-hook sms websocket"),
    ("SupplyDelivery.status", "abandoned completed entered-in-error in-progress"),
    (
        "SupplyRequest.status",
        "active cancelled completed draft entered-in-error suspended unknown",
    ),
    (
        "Task.intent",
        "filler-order instance-order option order original-order plan proposal reflex-order unknown",
    ),
    (
        "Task.status",
        "accepted cancelled completed draft entered-in-error failed in-progress on-hold ready received rejected requested",
    ),
    ("TimingRepeat.durationUnit TimingRepeat.periodUnit", "a d h min mo s wk"),
    (
        "TimingRepeat.when",
        "AC ACD ACM ACV AFT AFT.early AFT.late C CD CM CV EVE EVE.early EVE.late HS MORN MORN.early MORN.late NIGHT NOON PC PCD PCM PCV PHS WAKE",
    ),
    (
        "TriggerDefinition.type",
        "data-access-ended data-accessed data-added data-changed data-modified data-removed named-event periodic",
    ),
    (
        "VerificationResult.status",
        "attested in-process req-revalid reval-fail val-fail validated",
    ),
    ("VisionPrescriptionLensSpecification.eye", "left right"),
    ("VisionPrescriptionLensSpecificationPrism.base", "down in out up"),
)

REQUIRED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        name: frozenset(codes.split())
        for names, codes in _BOUND
        for name in names.split()
    }
)
"""``Encounter.status``, ``HumanName.use``, ``PatientContact.gender``: their codes."""
