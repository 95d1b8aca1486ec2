"""Training loops that others wrote, our AdamW in the place of torch's: the same losses, and checkpoints that go on."""

import accelerate
import lightning
import pytest
import torch
import transformers
from accelerate.state import AcceleratorState, GradientState
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from trainstation.interop.torch.optimizers import AdamW

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")  # it warns of torch's changes, and of few workers

KINDS = [AdamW, torch.optim.AdamW]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


def batches():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(24, 4, generator=generator)
    return DataLoader(TensorDataset(x, x[:, :2].abs()), batch_size=4)  # six steps an epoch


class Lit(lightning.LightningModule):
    """A module of Lightning's that notes its losses and rates."""

    def __init__(self, kind):
        super().__init__()
        self.net, self.kind, self.losses, self.rates = network(), kind, [], []

    def training_step(self, batch):
        loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.losses.append(loss.item())
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        return loss

    def configure_optimizers(self):
        optimizer = self.kind(self.parameters(), lr=0.02)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": StepLR(optimizer, 4, 0.5), "interval": "step"}}


def fit(module, folder, epochs, checkpoint=None):
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        gradient_clip_val=0.1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches(), ckpt_path=checkpoint)
    return trainer


def test_lightning(tmp_path):
    ours, theirs = Lit(AdamW), Lit(torch.optim.AdamW)
    for module in (ours, theirs):
        fit(module, tmp_path, 4)
    torch.testing.assert_close(ours.losses, theirs.losses)
    assert ours.rates == theirs.rates
    assert sum(ours.losses[-6:]) < sum(ours.losses[:6])
    for first, second in [(AdamW, AdamW), (AdamW, torch.optim.AdamW), (torch.optim.AdamW, AdamW)]:
        path = tmp_path / "half.ckpt"
        fit(Lit(first), tmp_path, 2).save_checkpoint(path)
        resumed = Lit(second)
        fit(resumed, tmp_path, 4, path)
        torch.testing.assert_close(resumed.losses, ours.losses[12:])
        assert resumed.losses == ours.losses[12:] or torch.optim.AdamW in (first, second)


def accelerated(kind, precision, folder=None, *, resume=False):
    """Train through Accelerate; save halfway, or go on from there."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2, mixed_precision=precision)
    model = network()
    optimizer = kind(model.parameters(), lr=0.02)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, batches(), StepLR(optimizer, 4, 0.5))
    if resume:
        accelerator.load_state(folder)
    losses = []
    for epoch in range(2 if resume else 0, 4):
        if epoch == 2 and folder is not None and not resume:
            accelerator.save_state(folder)
        for x, y in loader:
            with accelerator.accumulate(model), accelerator.autocast():
                loss = nn.functional.mse_loss(model(x).float(), y)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_accelerate(tmp_path, precision):
    ours = accelerated(AdamW, precision, tmp_path)
    torch.testing.assert_close(ours, accelerated(torch.optim.AdamW, precision))
    assert sum(ours[-6:]) < sum(ours[:6])
    assert accelerated(AdamW, precision, tmp_path, resume=True) == ours[12:]


def trained(kind, folder, checkpoint=None):
    """Train a small GPT-2 with Hugging Face's Trainer; return its losses and its logits."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "n_positions": 8, "n_embd": 16, "n_layer": 2, "n_head": 2}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config)
    rows = torch.randint(0, 32, (8, 8))
    arguments = transformers.TrainingArguments(
        output_dir=folder,
        max_steps=12,
        save_steps=6,
        logging_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        lr_scheduler_type="linear",
    )
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in rows],
        optimizers=(kind(model.parameters(), lr=0.01), None),
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    with torch.no_grad():
        return losses, model.eval()(rows).logits


def test_hugging_face_trainer(tmp_path):
    (losses, logits), (others, their_logits) = (trained(kind, tmp_path / kind.__module__) for kind in KINDS)
    torch.testing.assert_close(losses, others)
    torch.testing.assert_close(logits, their_logits, rtol=1e-4, atol=1e-4)
    assert losses[-1] < losses[0]
    for kind in KINDS:  # from our checkpoint, and from torch's
        resumed_losses, resumed = trained(AdamW, tmp_path / "resumed", str(tmp_path / kind.__module__ / "checkpoint-6"))
        torch.testing.assert_close(resumed_losses, losses)
        torch.testing.assert_close(resumed, logits, rtol=1e-4, atol=1e-4)
        assert kind is not AdamW or torch.equal(resumed, logits)
