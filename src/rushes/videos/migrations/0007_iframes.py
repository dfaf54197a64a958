from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0006_room_and_marks")]

    operations = [
        migrations.AddField(
            model_name="chunk", name="keyframe_sizes", field=models.BinaryField(default=bytes)
        ),
        migrations.AddField(
            model_name="rendition",
            name="iframe_peak_bps",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="rendition",
            name="iframe_average_bps",
            field=models.BigIntegerField(blank=True, null=True),
        ),
    ]
