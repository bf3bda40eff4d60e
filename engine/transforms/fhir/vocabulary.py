"""HL7 v2 codes to FHIR codes, one table for each binding.

Spec:
    HL7 v2-to-FHIR 1.0.0, vocabulary maps; fhir.md T10, T12, T16, T22 and D05 where the
    guide has no code.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.transforms.fhir.systems import HL7

Codes: TypeAlias = Mapping[str, str]


def _codes(text: str) -> Codes:
    """Read ``A=x B=y`` pairs."""
    return MappingProxyType(dict(pair.split("=") for pair in text.split()))


def _words(text: str) -> frozenset[str]:
    """Read the members of a table."""
    return frozenset(text.split())


GENDER: Final = _codes("F=female M=male O=other U=unknown A=other N=other")
NAME_USE: Final = _codes(
    "BAD=old D=usual L=official M=maiden MSK=anonymous N=nickname NAV=temp"
    " R=official TEMP=temp"
)
ADDRESS_USE: Final = _codes("BA=old BI=billing C=temp B=work H=home O=work")
ADDRESS_TYPE: Final = _codes("M=postal SH=postal P=physical")
TELECOM_SYSTEM: Final = _codes(
    "PH=phone FX=fax MD=other CP=phone SAT=other BP=pager Internet=email"
    " X.400=email TDD=other TTY=other"
)
TELECOM_USE: Final = _codes("PRN=home WPN=work PRS=mobile VHN=home ORN=home")
ENCOUNTER_CLASS: Final = _codes("E=EMER I=IMP O=AMB P=PRENC")
MARITAL: Final = _codes(
    "A=L D=D M=M S=S W=W C=C G=T P=T R=T E=L N=A I=I B=U U=UNK O=OTH T=NAVU"
)
RELATIONSHIP: Final = _codes(
    "SEL=ONESELF SPO=SPS DOM=SIGOTHR CHD=CHILD GCH=GRNDCHILD NCH=NCHILD SCH=STPCHLD"
    " FCH=CHLDFOST PAR=PRN MTH=MTH FTH=FTH GRD=GUARD GRP=GRPRN EXF=EXT SIB=SIB"
    " BRO=BRO SIS=SIS FND=FRND"
)
RELIGION: Final = _codes(
    "A=1007 B=1009 E=1069 J=1026 L=1028 M=1027 N=1020 P=1077 AGN=1004 ATH=1007"
    " BAH=1008 BRE=1062 BMA=1029 BTH=1051 CHR=1013 ANG=1005 AOG=1061 BAP=1009 CRR=1079"
    " CHS=1063 COC=1064 COG=1065 COL=1066 EOT=1068 EPI=1069 FRQ=1071 FUL=1072 JWN=1025"
    " MOM=1027 LUT=1028 MET=1073 NAZ=1075 ORT=1036 PEN=1038 PRE=1076 PRO=1077 PRC=1078"
    " QUA=1071 REC=1079 CAT=1041 SAA=1080 SEV=1001 UCC=1082 UNI=1052 UNU=1081 CNF=1014"
    " DOC=1067 HSH=1020 HVA=1020 HOT=1020 MOS=1023 MSH=1045 MSU=1049 NAM=1074 SHN=1046"
    " SIK=1047 SPI=1048"
)
ALLERGY_CATEGORY: Final = _codes(
    "DA=medication FA=food EA=environment AA=biologic PA=environment LA=environment"
)
ALLERGY_TYPE: Final = _codes(
    "DA=allergy FA=allergy MA=allergy EA=allergy AA=allergy PA=allergy LA=allergy"
)
CRITICALITY: Final = _codes("SV=high MI=low U=unable-to-assess")
REACTION_SEVERITY: Final = _codes("SV=severe MO=moderate MI=mild")
OBSERVATION_STATUS: Final = _codes(
    "A=amended C=corrected D=entered-in-error F=final P=preliminary X=cancelled"
    " W=entered-in-error B=amended R=preliminary S=preliminary I=registered"
    " O=registered U=final V=final N=registered"
)
EXACT_OBSERVATION_STATUS: Final = frozenset("ACFP")
"""OBX-11 codes whose image says all they say; of the others the code is kept."""
REPORT_STATUS: Final = _codes(
    "O=registered I=registered S=registered P=preliminary C=corrected R=partial"
    " F=final X=cancelled A=partial M=preliminary Y=unknown Z=unknown N=unknown"
)
EXACT_REPORT_STATUS: Final = frozenset("PCRFX")
REPORT_TO_OBSERVATION: Final = _codes(
    "registered=registered preliminary=preliminary partial=preliminary"
    " corrected=corrected final=final cancelled=cancelled unknown=unknown"
)
ORDER_STATUS: Final = _codes(
    "A=active IP=active SC=active CA=revoked DC=revoked RP=revoked CM=completed"
    " HD=on-hold ER=entered-in-error"
)
ORDER_CONTROL: Final = _codes(
    "AF=active CA=active CR=revoked DC=revoked DF=revoked DR=revoked FU=completed"
    " HD=active HR=on-hold NW=active OC=revoked OD=revoked OH=on-hold OK=active"
    " PR=active PY=active RL=active RO=active RQ=active SN=active SC=active NA=active"
    " PA=active RP=active XO=active XX=active RF=active RU=active UA=active UC=active"
    " UD=active UX=active OE=completed OF=completed RE=completed"
)
APPOINTMENT_STATUS: Final = _codes(
    "pending=pending waitlist=waitlist booked=booked started=checked-in"
    " complete=fulfilled cancelled=cancelled discontinued=cancelled"
    " deleted=entered-in-error blocked=booked overbook=booked noshow=noshow"
)
"""Table 0278, in lower case, to appointmentstatus; the last but two are choices."""
PARTICIPANT_STATUS: Final = _codes(
    "booked=accepted started=accepted complete=accepted overbook=accepted"
    " blocked=accepted noshow=accepted fulfilled=accepted checked-in=accepted"
    " pending=tentative waitlist=tentative cancelled=declined discontinued=declined"
    " deleted=declined entered-in-error=declined"
)
"""What the status of an appointment, or of one part, says of who takes part."""
APPOINTMENT_REASON: Final = _codes(
    "ROUTINE=3780001 CHECKUP=866149003 FOLLOWUP=185389009 EMERGENCY=373110003"
)
ADMINISTERED: Final = _codes("CP=completed PA=completed RE=not-done NA=not-done")
DISPENSED: Final = _codes(
    "CA=cancelled OC=cancelled CR=cancelled DC=stopped OD=stopped HD=on-hold OH=on-hold"
)
"""ORC-1 of a dispense to medicationdispense-status; any other was completed."""
METHOD: Final = _codes(
    "CH=419747000 DI=421682005 IS=421257003 SH=420606003 WA=422152000"
)
ROUTE: Final = _codes("ID=IDINJ IM=IM IV=IVINJ PO=PO SC=SQ TD=TRNSDERM")
"""Table 0162 to v3-RouteOfAdministration; other routes keep their table."""
PRIORITY: Final = _codes("S=stat A=asap R=routine T=urgent P=urgent")
ENCOUNTER_PRIORITY: Final = _codes("1=EM 2=UR 3=EL")
AVAILABILITY: Final = _codes("Y=available N=unavailable")
DOCUMENT_STATUS: Final = _codes("AV=current CA=entered-in-error OB=superseded")
DOCUMENT_COMPLETION: Final = _codes(
    "DI=preliminary DO=preliminary IN=preliminary IP=preliminary PA=preliminary"
    " AU=final LA=final"
)
CATEGORY: Final = _codes(
    "RAD=imaging RUS=imaging CT=imaging NMR=imaging NMS=imaging CUS=imaging"
    " VUS=imaging OUS=imaging XRC=imaging EC=procedure EN=procedure CTH=procedure"
)
"""OBR-24 to observation-category; every other section of table 0074 is laboratory."""
NOT_LABORATORY: Final = frozenset({"NRS", "PHR", "PHY", "PT", "OT", "RC", "RX", "SR"})

V3_MARITAL: Final = HL7 + "v3-MaritalStatus"
V3_NULL: Final = HL7 + "v3-NullFlavor"
V3_ROLE: Final = HL7 + "v3-RoleCode"
V3_RELIGION: Final = HL7 + "v3-ReligiousAffiliation"
V3_ACT_CODE: Final = HL7 + "v3-ActCode"
V3_PARTICIPATION: Final = HL7 + "v3-ParticipationType"
V3_PRIORITY: Final = HL7 + "v3-ActPriority"
V3_INTERPRETATION: Final = HL7 + "v3-ObservationInterpretation"

INTERPRETATION: Final = _words(
    "< > A AA B CAR D DET E EX EXP H HH HU I IE IND L LL LU MS N NCL ND NEG NR NS POS R"
    " RR S SDD SYN-R SYN-S TOX U VS UNE W WR"
)
"""Codes of OBX-8 that v3-ObservationInterpretation has too; the rest stay v2-0078."""

TABLE_CODES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        table: _words(codes)
        for table, codes in {
            "0001": "F M O U A N",
            "0002": "A D M S W C G P R E N I B U O T",
            "0004": "E I O P R B C N U",
            "0007": "A E L R N U C",
            "0009": "A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B1 B2 B3 B4 B5 B6",
            "0052": "A W F",
            "0062": "01 02 03 O U",
            "0063": "SEL SPO DOM CHD GCH NCH SCH FCH DEP WRD PAR MTH FTH CGV GRD GRP"
            " EXF SIB BRO SIS FND OAD EME EMR ASC EMC OWN TRA MGR NON UNK OTH",
            "0069": "MED SUR URO PUL CAR",
            "0074": "AU BG BLB CG CUS CTH CT CH CP EC EN GE HM ICU IMM LAB MB MCB MYC"
            " NMS NMR NRS OUS OT OTH OSL PHR PT PHY PF RAD RX RUS RC RT SR SP TX VUS VR"
            " XRC",
            "0078": "L H LL HH < > N A AA U D B W S R I MS VS POS NEG IND",
            "0080": "A N R S SP B ST",
            "0092": "R",
            "0127": "DA FA MA MC EA AA PA LA",
            "0128": "SV MO MI U",
            "0131": "E C F I N S O U",
            "0136": "Y N",
            "0162": "AP B DT EP ET GTT GU IMR IA IB IC ICV ID IH IHA IM IN IO IP IS IT"
            " IU IV MTH MM NS NG NP NT OP OT OTH PF PO PR RM SD SC SL TP TRA TD TL UR"
            " VG VM WND",
            "0161": "N G T",
            "0165": "CH DI DU IF IS IR IVPB IVP NB PT PF SH SO WA WI",
            "0167": "0 1 2 3 4 5 7 8 G N T",
            "0189": "H N U",
            "0203": "AM AN ANON BC BR CC DL DN DR EI EN FI GI HC JHN LN LR MA MB MC MCN"
            " MD MI MR MRT MS NE NH NI NNxxx NP NPI PEN PI PN PRN PT RI RPH RR RRI SL"
            " SR SS TAX U UPIN VN VS WC WCN XX PE DEA NIIP PLAC FILL FGN PGN",
            "0215": "F N O U",
            "0217": "1 2 3",
            "0276": "ROUTINE WALKIN CHECKUP FOLLOWUP EMERGENCY",
            "0277": "Normal Tentative Complete",
            "0278": "Pending Waitlist Booked Started Complete Cancelled Discontinued"
            " Deleted Blocked Overbook Noshow",
            "0281": "LAB RAD MED SKN PSY HOM Lab Rad Med Skn Psy Hom",
            "0282": "WR RP AM SO",
            "0284": "I O A E",
            "0286": "RP PP CP RT",
            "0336": "S P O W",
            "0315": "Y F N I U",
            "0364": "PI AI GI 1R 2R GR RE DR",
            "0430": "A C F H P O U",
            "0443": "AD AI AP AT CLP CP DP EP FHCP IP MDIR OP PH PP PI RO RP RT TN TR"
            " VP VPS VTS",
        }.items()
    }
)
"""Members of the tables that fields without a coding system are read with."""
