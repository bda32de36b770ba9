"""Captions of both classes: what the tiny CLIP's text tower learns to tell apart.

The first of each is the paper's prompt, verbatim.
"""

NORMAL = (
    "an image of brain tissue showing typical signal intensity without any regions of abnormal "
    "intensity or suspicious mass",
    "a healthy brain",
    "a normal brain MRI",
    "a FLAIR slice of a normal brain",
    "an MRI of healthy brain tissue",
    "an image of a brain without tumor",
    "an image of a brain without tumour",
    "no tumor",
    "no tumour is seen in this brain slice",
    "no lesion",
    "a brain scan without any lesion",
    "a brain scan with no abnormality",
    "brain tissue with homogeneous normal signal",
    "normal grey and white matter",
    "an unremarkable brain MRI",
    "brain MRI without hyperintensity or mass",
    "a FLAIR image showing normal signal intensity",
    "a magnetic resonance image of a healthy brain, no glioma",
    "there is no mass, no oedema and no abnormal signal",
    "there is no mass, no edema and no abnormal signal",
    "typical symmetrical brain tissue without suspicious mass",
    "an axial slice of brain that is free of disease",
    "a healthy subject's brain",
    "negative for tumor",
)

TUMOUR = (
    "an image of brain tissue showing a tumor with uneven hyperintensity and irregular borders "
    "distinct from surroundings",
    "a brain tumor",
    "a brain tumour",
    "a brain MRI with a tumor",
    "a FLAIR slice of a brain with a tumour",
    "an MRI of a brain with glioma",
    "an image of a brain with a tumor",
    "an image of a brain with a tumour",
    "tumor",
    "a tumour is seen in this brain slice",
    "a lesion",
    "a brain scan with a lesion",
    "a brain scan with an abnormality",
    "a hyperintense mass with irregular borders",
    "a bright lesion surrounded by oedema",
    "a bright lesion surrounded by edema",
    "a necrotic tumour core with a bright rim",
    "a FLAIR image showing abnormal signal intensity",
    "a magnetic resonance image of a brain with a metastasis",
    "there is a mass with oedema and abnormal signal",
    "there is a mass with edema and abnormal signal",
    "uneven hyperintense tissue, a suspicious mass",
    "an axial slice of brain that shows disease",
    "a glioma patient's brain",
    "positive for tumor",
)
