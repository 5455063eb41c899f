"""Origins of the public data sets: version, licence, citation, in one table."""

from __future__ import annotations

from dataclasses import dataclass

PHYSIONET = "https://physionet.org/files"


@dataclass(frozen=True)
class Source:
    """One data set as PhysioNet distributes it.

    Attributes
    ----------
    name : str
        What ``ecg-edge data get`` calls it.
    project, version : str
        PhysioNet project and version; both are part of the address.
    prefix : str
        Only files below it are fetched (a project may hold several data sets).
    licence, citation : str
        For the user to find; the project's page on PhysioNet holds.
    """

    name: str
    project: str
    version: str
    prefix: str
    licence: str
    citation: str

    @property
    def url(self) -> str:
        """Address of the project's files, ending in a slash."""
        return f"{PHYSIONET}/{self.project}/{self.version}/"


_TABLE = (
    Source(
        "ptb-xl",
        "ptb-xl",
        "1.0.3",
        "",
        "CC BY 4.0",
        "Wagner P et al. PTB-XL, a large publicly available electrocardiography dataset (version 1.0.3). "
        "PhysioNet 2022. doi:10.13026/kfzx-aw45",
    ),
    Source(
        "ptbdb",
        "ptbdb",
        "1.0.0",
        "",
        "ODC-By 1.0",
        "Bousseljot R, Kreiseler D, Schnabel A. Nutzung der EKG-Signaldatenbank CARDIODAT der PTB über das Internet. "
        "Biomedizinische Technik 40, Ergänzungsband 1 (1995) S 317. doi:10.13026/C28C71",
    ),
    Source(
        "ludb",
        "ludb",
        "1.0.1",
        "",
        "ODC-By 1.0",
        "Kalyakulina A et al. Lobachevsky University Electrocardiography Database (version 1.0.1). "
        "PhysioNet 2021. doi:10.13026/eegm-h675",
    ),
    Source(
        "nstdb",
        "nstdb",
        "1.0.0",
        "",
        "ODC-By 1.0",
        "Moody GB, Muldrow WE, Mark RG. A noise stress test for arrhythmia detectors. "
        "Computers in Cardiology 1984; 11:381-384. doi:10.13026/C2HS3T",
    ),
    Source(
        "cpsc2018",
        "challenge-2020",
        "1.0.2",
        "training/cpsc_2018/",
        "CC BY 4.0",
        "Liu F et al. An open access database for evaluating the algorithms of electrocardiogram rhythm and morphology "
        "abnormality detection. J Med Imaging Health Inform 2018; 8(7):1368-1373; as distributed with the "
        "PhysioNet/CinC Challenge 2020 (version 1.0.2)",
    ),
)
SOURCES: dict[str, Source] = {s.name: s for s in _TABLE}
