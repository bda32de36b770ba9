"""CLIPs in folders of their own, in the files that their publishers write, with random weights."""

import json

import torch

OPENAI_MEAN, OPENAI_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
BIOMEDBERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
BERT = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
SMALL_BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def biomedclip(
    folder, *, tower="vit_tiny_patch16_224", bert=SMALL_BERT, vocabulary=200, mean=OPENAI_MEAN, seed=0
):
    """A folder like BiomedCLIP's, by default of small towers; the network whose weights it holds.

    As on the hub, the text tower is named by its repository, and the weights hold its position numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = {
        "hf_model_name": BIOMEDBERT,
        "hf_tokenizer_name": BIOMEDBERT,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 256,
    }
    vision = {
        "timm_model_name": tower,
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 224,
    }
    model = {"embed_dim": 512, "vision_cfg": vision, "text_cfg": text}
    describe(folder, model, mean)
    config = {"model_type": "bert", "vocab_size": vocabulary, "max_position_embeddings": 512, **bert}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_tokenizer(folder)
    network = upstreams(folder, seed)
    state = network.state_dict()
    state["text.transformer.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save(state, folder / "open_clip_pytorch_model.bin")
    return network


def small_clip(folder, seed=0):
    """A folder of a small CLIP with open_clip's own towers, as open_clip saves one."""
    from open_clip.model import CLIP

    folder.mkdir(parents=True, exist_ok=True)
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    describe(folder, model, OPENAI_MEAN)
    torch.manual_seed(seed)
    torch.save(CLIP(**model).state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def describe(folder, model, mean):
    """Write open_clip_config.json."""
    described = {"model_cfg": model, "preprocess_cfg": {"mean": mean, "std": OPENAI_STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(described), encoding="utf-8")


def write_tokenizer(folder):
    """A word-piece tokenizer that knows some words, and letters."""
    from tokenizers import BertWordPieceTokenizer

    words = ["tumor", "brain", "image", "intensity", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    BertWordPieceTokenizer(vocab=vocabulary, lowercase=True).save(str(folder / "tokenizer.json"))
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    about = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    about |= dict(zip(names, SPECIAL, strict=True))
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def upstreams(folder, seed=0):
    """The network that a folder describes as open_clip builds it, which takes the text tower from a hub:
    the description is given to it from the folder instead."""
    from open_clip.model import CustomTextCLIP

    model = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    text = {**model["text_cfg"], "hf_model_name": str(folder), "hf_model_pretrained": False}
    torch.manual_seed(seed)
    network = CustomTextCLIP(**{**model, "text_cfg": text})
    return network.eval()
