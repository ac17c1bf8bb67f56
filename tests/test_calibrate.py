import pytest
from training_data import assert_same_tensors, write_faces, write_votes

import train.calibrate
import train.emotion
from fer_denoise.models import EmotionClassifier
from train.shared.calibration import TEMPERATURES

SMALL = (4, 8)


@pytest.mark.usefixtures("fresh_accelerator")
def test_a_trained_classifier_is_calibrated_anew_and_keeps_its_weights(tmp_path, make_faces, capsys):
    write_faces(tmp_path, make_faces)
    model = EmotionClassifier(widths=SMALL, temperature=0.3, bias=[5, 0, 0, 0, 0, 0, 0], votes=True)
    model.training_record = {"script": "train.emotion"}
    model.save_pretrained(tmp_path / "model")
    write_votes(tmp_path / "votes.csv")
    train.calibrate.main([str(tmp_path / "model"), "--data", str(tmp_path), "--votes", str(tmp_path / "votes.csv")])
    again = EmotionClassifier.from_pretrained(tmp_path / "model")
    assert_same_tensors(again.state_dict(), EmotionClassifier.from_pretrained(tmp_path / "model").state_dict())
    assert again.config["bias"][0] < 5 and again.config["temperature"] in TEMPERATURES and again.config["votes"]
    assert again.config["votes_temperature"] in TEMPERATURES and again.config["votes_temperature"] != 1
    assert again.training_record == model.training_record
    printed = capsys.readouterr().out
    assert "before: accuracy" in printed and "after:  accuracy" in printed and "votes, after:" in printed
    EmotionClassifier(widths=SMALL).save_pretrained(tmp_path / "labels")
    with pytest.raises(SystemExit, match="no head for votes"):
        train.calibrate.main([str(tmp_path / "labels"), "--data", str(tmp_path), "--votes", "votes.csv"])
    with pytest.raises(SystemExit, match="nowhere"):
        train.calibrate.main([str(tmp_path / "nowhere"), "--data", str(tmp_path)])
